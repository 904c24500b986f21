"""The bundled model through the engine, as it ships: every other model here has random weights."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("diffusers")

from runtime.worker.images.engine import Inputs
from services.diffusion.catalogue import BUILT_IN
from services.diffusion.engines.factory import build_engine
from services.diffusion.settings import DiffusionSettings
from tests.conformance.image_engine import ImageEngine, Steps, draw, request_for

pytestmark = [
    pytest.mark.usefixtures("one_torch_thread"),
    pytest.mark.skipif(not (BUILT_IN.parent / "models/pocket/model_index.json").is_file(), reason="not exported"),
]


@pytest.fixture(scope="module")
def engine() -> ImageEngine:
    """What the service draws with when nothing is set but the device."""
    return build_engine(DiffusionSettings(device="cpu"))


def smallest(engine: ImageEngine) -> dict[str, int]:
    return {"width": engine.models[0].min_size, "height": engine.models[0].min_size}


def test_picture_k_is_the_one_that_its_seed_draws_alone(engine: ImageEngine) -> None:
    info, small = engine.models[0], smallest(engine)
    together = draw(engine, info, seed=7, num_images=3, **small)
    alone = np.concatenate([draw(engine, info, seed=7 + index, **small) for index in range(3)])
    assert np.abs(together - alone).max() <= 2


def test_the_default_request_is_drawn_in_the_steps_it_asks(engine: ImageEngine) -> None:
    info, steps = engine.models[0], Steps()
    image = engine.generate(request_for(info, num_inference_steps=info.default_steps), steps)[0]
    assert image.size == (info.default_width, info.default_height)
    assert steps.seen[-1] == (info.default_steps, info.default_steps)


@pytest.mark.parametrize("size", [(512, 512), (128, 128)])
def test_another_size_shows_the_same_picture(engine: ImageEngine, size: tuple[int, int]) -> None:
    info = engine.models[0]
    asked = request_for(info, prompt="a cat on a blue background", num_inference_steps=info.default_steps)
    native = engine.generate(asked, Steps())[0]
    other = engine.generate(msgspec.structs.replace(asked, width=size[0], height=size[1]), Steps())[0]
    assert other.size == size
    assert mean_difference(native, other.resize(native.size)) < 6


def test_a_wide_picture_keeps_its_subject_whole(engine: ImageEngine) -> None:
    """One disc in the middle, as wide as it is high, not two and not an oval."""
    info = engine.models[0]
    asked = request_for(info, prompt="a red circle", num_inference_steps=info.default_steps, width=384, height=256)
    red, _, blue = np.moveaxis(np.asarray(engine.generate(asked, Steps())[0], np.int16), -1, 0)
    down, across = np.nonzero(red - blue > 60)
    assert np.ptp(across) / np.ptp(down) == pytest.approx(1, abs=0.25)


def test_what_the_mask_keeps_stays_to_the_pixel_at_any_size(engine: ImageEngine) -> None:
    info, size = engine.models[0], (512, 320)
    start = Image.effect_noise(size, 90).convert("RGB")
    mask = Image.new("L", size, 0)
    mask.paste(255, (256, 0, *size))
    asked = request_for(info, width=size[0], height=size[1], strength=1.0)
    painted = np.asarray(engine.generate(asked, Steps(), Inputs(start, mask))[0])
    assert np.array_equal(painted[:, :256], np.asarray(start)[:, :256])
    assert not np.array_equal(painted[:, 256:], np.asarray(start)[:, 256:])


def mean_difference(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).mean())
