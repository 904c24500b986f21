"""What every image engine must do, as one class of tests.

Subclass it in a `test_*.py` and give it a fixture `engine` that yields an `ImageEngine`; `model` is its first model
unless a fixture of that name says otherwise. Nothing here knows what draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage, InputImage, Lora, ModelInfo
from runtime.worker.handler import JobCancelled
from runtime.worker.images.engine import ImageEngine, Inputs, PreviewSource


class Steps:
    """An `on_step` that keeps what it was told, and cancels after `cancel_at` steps."""

    def __init__(self, cancel_at: int | None = None) -> None:
        self.seen: list[tuple[int, int]] = []
        self.previews: list[np.ndarray[Any, Any]] = []
        """One for each step that offered any: (pictures, height, width, 3)."""
        self._cancel_at = cancel_at

    def __call__(self, done: int, total: int, preview: PreviewSource | None = None, /) -> None:
        self.seen.append((done, total))
        if preview is not None:
            self.previews.append(pixels(preview()))
        if done == self._cancel_at:
            raise JobCancelled


def request_for(model: ModelInfo, /, **changes: Any) -> GenerateImage:
    """A small picture in few steps, within the model's limits."""
    fields: dict[str, Any] = {
        "model": model.id,
        "prompt": "a red fox in the snow",
        "width": model.default_width,
        "height": model.default_height,
        "num_inference_steps": few_steps(model),
        "guidance_scale": model.default_guidance_scale,
        "seed": 7,
    }
    return GenerateImage(**(fields | changes))


def few_steps(model: ModelInfo) -> int:
    """Three, or the number nearest above that the model takes."""
    allowed = model.allowed_steps or range(model.min_steps, model.max_steps + 1)
    return min(allowed, key=lambda steps: abs(steps - 3.4))


def pixels(images: list[Image.Image]) -> np.ndarray[Any, Any]:
    return np.stack([np.asarray(image, dtype=np.int16) for image in images])


def draw(engine: ImageEngine, model: ModelInfo, /, **changes: Any) -> np.ndarray[Any, Any]:
    return pixels(engine.generate(request_for(model, **changes), Steps()))


def fault_of(engine: ImageEngine, request: GenerateImage, steps: Steps) -> EaselError:
    with pytest.raises(EaselError) as caught:
        engine.generate(request, steps)
    return caught.value


HELD = InputImage(key=f"{'0' * 32}.0.0", size=1)
"""Stands for where the bytes were; an engine gets them decoded."""


def starting_picture(model: ModelInfo, *, takes: bool) -> Image.Image:
    """A smooth one of the model's default size; the test is skipped for a model that does not take it."""
    if not takes:
        pytest.skip(f"{model.id} takes none")
    down, across = np.mgrid[0 : model.default_height, 0 : model.default_width]
    red, green = across * 255 / model.default_width, down * 255 / model.default_height
    return Image.fromarray(np.stack([red, green, 255 - red], axis=-1).astype(np.uint8))


def edit(
    engine: ImageEngine, model: ModelInfo, start: Image.Image, mask: Image.Image | None = None, /, **changes: Any
) -> np.ndarray[Any, Any]:
    request = request_for(model, init_image=HELD, mask_image=HELD if mask else None, **changes)
    return pixels(engine.generate(request, Steps(), Inputs(start, mask)))


def _like(preview: np.ndarray[Any, Any], drawn: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The preview at the picture's size."""
    size = (drawn.shape[2], drawn.shape[1])
    return pixels([Image.fromarray(picture.astype(np.uint8)).resize(size) for picture in preview])


class ImageEngineSuite:
    """The suite."""

    rounding = 2
    """How far a picture alone may be from the same among others, in 1/255."""

    @pytest.fixture
    def model(self, engine: ImageEngine) -> ModelInfo:
        return engine.models[0]

    def test_a_seed_draws_the_same_picture_again(self, engine: ImageEngine, model: ModelInfo) -> None:
        assert np.array_equal(draw(engine, model, num_images=2), draw(engine, model, num_images=2))

    def test_another_seed_draws_another_picture(self, engine: ImageEngine, model: ModelInfo) -> None:
        assert not np.array_equal(draw(engine, model, seed=7), draw(engine, model, seed=8))

    def test_another_prompt_draws_another_picture(self, engine: ImageEngine, model: ModelInfo) -> None:
        assert not np.array_equal(draw(engine, model, prompt="a fox"), draw(engine, model, prompt="the sea at night"))

    def test_picture_k_is_the_one_that_its_seed_draws_alone(self, engine: ImageEngine, model: ModelInfo) -> None:
        together = draw(engine, model, seed=7, num_images=3)
        alone = np.concatenate([draw(engine, model, seed=7 + index) for index in range(3)])
        assert np.abs(together - alone).max() <= self.rounding

    def test_the_seed_after_the_highest_is_zero(self, engine: ImageEngine, model: ModelInfo) -> None:
        last, after = draw(engine, model, seed=2**32 - 1, num_images=2)
        assert np.abs(after - draw(engine, model, seed=0)[0]).max() <= self.rounding
        assert not np.array_equal(last, after)

    def test_pictures_have_the_size_and_number_asked_for(self, engine: ImageEngine, model: ModelInfo) -> None:
        wide, high = model.default_width + 2 * model.size_multiple, model.default_height
        images = engine.generate(request_for(model, width=wide, height=high, num_images=2), Steps())
        assert [("RGB", (wide, high))] * 2 == [(image.mode, image.size) for image in images]

    def test_steps_are_reported_in_order_up_to_a_constant_total(self, engine: ImageEngine, model: ModelInfo) -> None:
        steps = Steps()
        engine.generate(request_for(model, num_images=2), steps)
        total = steps.seen[0][1]
        assert [(done, total) for done in range(1, total + 1)] == steps.seen

    def test_a_cancelled_job_ends_at_that_step(self, engine: ImageEngine, model: ModelInfo) -> None:
        steps = Steps(cancel_at=2)
        with pytest.raises(JobCancelled):
            engine.generate(request_for(model), steps)
        assert [done for done, _ in steps.seen] == [1, 2]

    def test_whatever_on_step_raises_passes_unchanged(self, engine: ImageEngine, model: ModelInfo) -> None:
        def fail(done: int, total: int, preview: PreviewSource | None = None, /) -> None:
            raise RuntimeError("of the caller's own")

        with pytest.raises(RuntimeError, match="of the caller's own"):
            engine.generate(request_for(model), fail)

    def test_a_cancelled_job_leaves_no_trace(self, engine: ImageEngine, model: ModelInfo) -> None:
        before = draw(engine, model)
        with pytest.raises(JobCancelled):
            engine.generate(request_for(model, seed=1), Steps(cancel_at=1))
        assert np.array_equal(before, draw(engine, model))

    def test_previews_come_to_show_each_its_own_picture(self, engine: ImageEngine, model: ModelInfo) -> None:
        steps = Steps()
        drawn = pixels(engine.generate(request_for(model, num_images=2), steps))
        if not steps.previews:
            pytest.skip("offers no previews")
        assert [len(preview) for preview in steps.previews] == [2] * len(steps.seen)
        last = _like(steps.previews[-1], drawn)
        assert np.abs(last - drawn).mean() < np.abs(last - drawn[::-1]).mean()

    def test_asking_for_previews_changes_nothing_else(self, engine: ImageEngine, model: ModelInfo) -> None:
        def look_away(done: int, total: int, preview: PreviewSource | None = None, /) -> None:
            pass

        plain = pixels(engine.generate(request_for(model), look_away))
        assert np.array_equal(plain, draw(engine, model))

    def test_the_lower_the_strength_the_more_shows_of_the_picture_to_start_from(
        self, engine: ImageEngine, model: ModelInfo
    ) -> None:
        start = starting_picture(model, takes=model.img2img)
        other = ImageOps.invert(start)
        low, high = (
            np.abs(edit(engine, model, start, strength=strength) - edit(engine, model, other, strength=strength)).mean()
            for strength in (0.34, 1.0)
        )
        assert low > high

    def test_a_picture_to_start_from_draws_the_same_again(self, engine: ImageEngine, model: ModelInfo) -> None:
        start = starting_picture(model, takes=model.img2img)
        once, again = (edit(engine, model, start, strength=0.7, num_images=2) for _ in range(2))
        assert np.array_equal(once, again)
        assert not np.array_equal(*once)

    def test_strength_reports_the_steps_that_are_taken(self, engine: ImageEngine, model: ModelInfo) -> None:
        start, steps = starting_picture(model, takes=model.img2img), Steps()
        request = request_for(model, strength=0.5, init_image=HELD)
        engine.generate(request, steps, Inputs(start))
        assert [(done, len(steps.seen)) for done in range(1, len(steps.seen) + 1)] == steps.seen

    def test_what_the_mask_keeps_stays_as_it_was(self, engine: ImageEngine, model: ModelInfo) -> None:
        start = starting_picture(model, takes=model.inpaint)
        mask = Image.new("L", start.size, 0)
        mask.paste(255, (start.width // 2, 0, start.width, start.height))
        drawn = edit(engine, model, start, mask, strength=1.0, num_images=1)[0]
        before, half = np.asarray(start, dtype=np.int16), start.width // 2
        kept, painted = np.abs(drawn - before)[:, : half - 16], np.abs(drawn - before)[:, half + 16 :]
        assert kept.max() <= self.rounding
        assert painted.mean() > kept.mean()

    def test_a_size_that_the_model_cannot_draw_is_refused_before_the_first_step(
        self, engine: ImageEngine, model: ModelInfo
    ) -> None:
        steps = Steps()
        fault = fault_of(engine, request_for(model, width=model.default_width + 1), steps)
        assert (fault.code, fault.param, steps.seen) == (ErrorCode.UNSUPPORTED, "size", [])

    def test_an_unknown_model_is_refused_before_the_first_step(self, engine: ImageEngine, model: ModelInfo) -> None:
        steps = Steps()
        fault = fault_of(engine, request_for(model, model="no-such-model"), steps)
        assert (fault.code, fault.param, steps.seen) == (ErrorCode.MODEL_NOT_FOUND, "model", [])

    def test_a_lora_that_the_model_has_not_is_refused_before_the_first_step(
        self, engine: ImageEngine, model: ModelInfo
    ) -> None:
        steps = Steps()
        fault = fault_of(engine, request_for(model, loras=(Lora("no-such-lora"),)), steps)
        assert (fault.code, fault.param, steps.seen) == (ErrorCode.UNSUPPORTED, "loras", [])
        assert model.id in fault.message
        assert "no-such-lora" in fault.message

    def test_loading_an_unknown_model_is_refused(self, engine: ImageEngine) -> None:
        with pytest.raises(EaselError) as caught:
            engine.load("no-such-model")
        assert caught.value.code == ErrorCode.MODEL_NOT_FOUND

    def test_a_refused_request_leaves_the_engine_usable(self, engine: ImageEngine, model: ModelInfo) -> None:
        before = draw(engine, model)
        fault_of(engine, request_for(model, width=model.default_width + 1), Steps())
        assert np.array_equal(before, draw(engine, model))

    def test_a_model_is_loaded_once_and_said_to_be(self, engine: ImageEngine, model: ModelInfo) -> None:
        engine.load(model.id)
        engine.load(model.id)
        assert engine.loaded.count(model.id) == 1

    def test_defaults_are_within_the_limits_announced(self, model: ModelInfo) -> None:
        assert model.min_steps <= model.default_steps <= model.max_steps
        assert model.default_guidance_scale <= model.max_guidance_scale
        for side in (model.default_width, model.default_height):
            assert model.min_size <= side <= model.max_size
            assert side % model.size_multiple == 0

    def test_the_device_has_a_name(self, engine: ImageEngine) -> None:
        assert engine.device

    def test_closing_twice_is_harmless(self, engine: ImageEngine, model: ModelInfo) -> None:
        engine.load(model.id)
        engine.close()
        engine.close()
        assert engine.loaded == ()
