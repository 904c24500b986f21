"""What an engine must do that draws several requests at once, on top of `ImageEngineSuite`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from contracts.images import GenerateImage, Lora, ModelInfo
from runtime.worker.handler import JobCancelled
from runtime.worker.images.engine import BatchingEngine, Inputs, PreviewSource
from services.diffusion.engines.batching.calls import Call
from services.diffusion.engines.batching.device_thread import RunCalls
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from tests.conformance.image_engine import HELD, ImageEngineSuite, Steps, draw, pixels, request_for, starting_picture

WAIT_S = 120.0


@dataclass
class Asked:
    """One request, with what belongs to it."""

    request: GenerateImage
    inputs: Inputs = field(default_factory=Inputs)
    cancel_at: int | None = None

    def drawn_alone(self, engine: BatchingEngine) -> np.ndarray[Any, Any]:
        return pixels(engine.generate(self.request, Steps(), self.inputs))


class _Gathering:
    """Draws requests so that they surely meet: all make a step, then one's second waits for the calls of the rest."""

    def __init__(self, engine: DiffusersEngine, asked: Sequence[Asked]) -> None:
        self._engine = engine
        self._asked = asked
        self._met = threading.Barrier(len(asked), self._hold)
        self._held = False
        self.sizes: list[int] = []
        """Requests in every step since all had met."""

    def _hold(self) -> None:
        self._held = True

    def _spied(self, run: RunCalls) -> RunCalls:
        def spy(calls: Sequence[Call]) -> list[Any]:
            if self._held or self.sizes:
                self.sizes.append(len(calls))
            if self._held and len(calls) == 1:
                self._wait_for_the_rest()
            self._held = False
            return run(calls)

        return spy

    def _wait_for_the_rest(self) -> None:
        """In the device's thread."""
        thread = self._engine._thread
        with thread._changed:
            assert thread._changed.wait_for(lambda: len(thread._waiting) >= len(self._asked) - 1, WAIT_S)

    def _draw(self, asked: Asked) -> np.ndarray[Any, Any] | list[int]:
        """The pictures, or the steps made until it was cancelled."""
        steps = Steps(asked.cancel_at)

        def on_step(done: int, total: int, preview: PreviewSource | None = None, /) -> None:
            steps(done, total)
            if done == 1:
                self._met.wait(WAIT_S)

        try:
            return pixels(self._engine.generate(asked.request, on_step, asked.inputs))
        except JobCancelled:
            return [done for done, _ in steps.seen]

    def drawn(self) -> list[Any]:
        self._engine.load(self._asked[0].request.model)
        loaded = self._engine._cache.peek(self._asked[0].request.model)
        assert loaded is not None
        plain = loaded.adapters.plain
        loaded.adapters.plain = replace(plain, run=self._spied(plain.run))
        try:
            with ThreadPoolExecutor(len(self._asked)) as threads:
                return list(threads.map(self._draw, self._asked))
        finally:
            loaded.adapters.plain = plain


def together(engine: DiffusersEngine, asked: Sequence[Asked]) -> list[Any]:
    """What each gives when drawn with the others; fails unless some of their steps were made in one call."""
    gathering = _Gathering(engine, asked)
    drawn = gathering.drawn()
    assert max(gathering.sizes) > 1, gathering.sizes
    return drawn


class BatchingEngineSuite(ImageEngineSuite):
    """The suite."""

    def test_every_seed_draws_its_picture_in_a_batch_as_alone(self, engine: DiffusersEngine, model: ModelInfo) -> None:
        asked = [Asked(request_for(model, seed=seed, num_inference_steps=4)) for seed in range(4)]
        for it, drawn in zip(asked, together(engine, asked), strict=True):
            assert np.abs(drawn - it.drawn_alone(engine)).max() <= self.rounding

    def test_settings_and_tasks_may_differ_in_a_batch(self, engine: DiffusersEngine, model: ModelInfo) -> None:
        asked = [
            Asked(request_for(model, num_inference_steps=4 + index, scheduler=scheduler, **changes))
            for index, (scheduler, changes) in enumerate(zip(model.schedulers * 4, _changes(model), strict=False))
        ]
        start = starting_picture(model, takes=model.img2img)
        edit = request_for(model, num_inference_steps=6, strength=0.7, init_image=HELD, seed=11)
        asked.append(Asked(edit, Inputs(start)))
        if model.inpaint:
            mask = Image.new("L", start.size, 0)
            mask.paste(255, (start.width // 2, 0, start.width, start.height))
            painted = request_for(model, num_inference_steps=5, strength=1.0, init_image=HELD, mask_image=HELD, seed=12)
            asked.append(Asked(painted, Inputs(start, mask)))
        for it, drawn in zip(asked, together(engine, asked), strict=True):
            assert np.abs(drawn - it.drawn_alone(engine)).max() <= self.rounding, it.request

    def test_a_cancelled_request_leaves_a_batch_and_the_others_stay_as_they_are(
        self, engine: DiffusersEngine, model: ModelInfo
    ) -> None:
        asked = [Asked(request_for(model, seed=seed, num_inference_steps=6)) for seed in range(4)]
        asked[1].cancel_at = 2
        drawn = together(engine, asked)
        assert drawn.pop(1) == [1, 2]
        for it, picture in zip([asked[0], *asked[2:]], drawn, strict=True):
            assert np.abs(picture - it.drawn_alone(engine)).max() <= self.rounding

    def test_a_request_joins_at_the_next_step(self, engine: DiffusersEngine, model: ModelInfo) -> None:
        first, second = (Asked(request_for(model, seed=seed, num_inference_steps=5)) for seed in (1, 2))
        joined = threading.Event()

        def joins(done: int, total: int, preview: PreviewSource | None = None, /) -> None:
            joined.set()

        with ThreadPoolExecutor(1) as thread:

            def others_come(done: int, total: int, preview: PreviewSource | None = None, /) -> None:
                if done == 2:
                    late.append(thread.submit(engine.generate, second.request, joins))
                    assert joined.wait(WAIT_S)

            late: list[Any] = []
            early = pixels(engine.generate(first.request, others_come))
            drawn = pixels(late[0].result(WAIT_S))
        assert np.abs(early - first.drawn_alone(engine)).max() <= self.rounding
        assert np.abs(drawn - second.drawn_alone(engine)).max() <= self.rounding

    def test_loras_in_flight_together_draw_what_each_draws_alone(
        self, engine: DiffusersEngine, model: ModelInfo
    ) -> None:
        one, other = (Lora(name, 0.8) for name in model.loras)
        sets = ((), (one,), (other,), (one, other), (Lora(one.name, -0.5),), (one,), ())
        asked = [
            Asked(request_for(model, num_inference_steps=4, seed=seed, loras=loras)) for seed, loras in enumerate(sets)
        ]
        met = threading.Barrier(len(asked))

        def draw_with_all(it: Asked) -> np.ndarray[Any, Any]:
            def on_step(done: int, total: int, preview: PreviewSource | None = None, /) -> None:
                if done == 1:
                    met.wait(WAIT_S)

            return pixels(engine.generate(it.request, on_step))

        with ThreadPoolExecutor(len(asked)) as threads:
            drawn = list(threads.map(draw_with_all, asked))
        for it, picture in zip(asked, drawn, strict=True):
            assert np.abs(picture - it.drawn_alone(engine)).max() <= self.rounding, it.request.loras

    def test_each_lora_and_weight_draws_another_picture_and_none_leaves_a_trace(
        self, engine: DiffusersEngine, model: ModelInfo
    ) -> None:
        one, other = model.loras
        plain = draw(engine, model)
        sets = ((Lora(one),), (Lora(one, 0.5),), (Lora(other),), (Lora(one), Lora(other)))
        pictures = [plain, *(draw(engine, model, loras=loras) for loras in sets)]
        for index, picture in enumerate(pictures):
            assert not any(np.array_equal(picture, it) for it in pictures[:index]), sets[index - 1]
        assert np.array_equal(plain, draw(engine, model))
        assert np.array_equal(plain, draw(engine, model, loras=(Lora(one, 0.0),)))

    def test_a_deterministic_request_is_the_same_to_the_last_bit_whoever_else_is_drawn(
        self, engine: DiffusersEngine, model: ModelInfo
    ) -> None:
        asked = [Asked(request_for(model, seed=seed, num_inference_steps=4)) for seed in range(4)]
        exact = Asked(request_for(model, seed=9, num_inference_steps=4, deterministic=True))
        assert np.array_equal(together(engine, [*asked, exact])[-1], exact.drawn_alone(engine))


def _changes(model: ModelInfo) -> list[dict[str, Any]]:
    """Of a request, all within the model's limits; the last of another size."""
    stronger = min(model.max_guidance_scale, model.default_guidance_scale + 2)
    return [
        {},
        {"seed": 8, "prompt": "two dogs running over a field"},
        {"seed": 9, "guidance_scale": stronger, "negative_prompt": "rain"},
        {"seed": 10, "num_images": 2},
        {"seed": 13, "width": model.default_width + 2 * model.size_multiple},
    ]
