"""The bundled model through the engine, as it ships: every other model here has random weights."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("diffusers")

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
