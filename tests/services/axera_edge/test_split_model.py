"""The bundled model through the graphs of the edge draws what the diffusers engine draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("diffusers")

from services.axera_edge.engine import EdgeEngine
from services.diffusion.engines.factory import build_engine
from services.diffusion.settings import DiffusionSettings
from tests.conformance.image_engine import ImageEngine, Steps, draw, edit, request_for, starting_picture
from tests.support.edge_models import edge_engine

pytestmark = [pytest.mark.xdist_group("split_pocket"), pytest.mark.timeout(600)]  # exported once, on a busy machine


@pytest.fixture(scope="module")
def edge(split_pocket: Path) -> EdgeEngine:
    return edge_engine(split_pocket)


@pytest.fixture(scope="module")
def diffusers_engine() -> ImageEngine:
    return build_engine(DiffusionSettings(engine="diffusers", device="cpu"))  # float32, as the graphs are


@pytest.mark.usefixtures("one_torch_thread")
@pytest.mark.parametrize(("prompt", "seed", "steps"), [("a red fox in the snow", 7, 8), ("a boat on the sea", 3, 6)])
def test_both_draw_one_picture_within_rounding(
    edge: EdgeEngine, diffusers_engine: ImageEngine, prompt: str, seed: int, steps: int
) -> None:
    asked = {"prompt": prompt, "seed": seed, "num_inference_steps": steps, "negative_prompt": "blue"}
    ours, theirs = (draw(engine, engine.models[0], **asked) for engine in (edge, diffusers_engine))
    assert np.abs(ours - theirs).max() <= 2
    assert ours.std() > 20  # a picture, and not one grey


@pytest.mark.usefixtures("one_torch_thread")
@pytest.mark.parametrize("strength", [0.3, 0.8])
def test_both_start_from_a_picture_alike(edge: EdgeEngine, diffusers_engine: ImageEngine, strength: float) -> None:
    model = edge.models[0]
    asked = {"strength": strength, "num_inference_steps": 8, "guidance_scale": model.default_guidance_scale}
    start = starting_picture(model, takes=True)
    ours, theirs = (edit(engine, engine.models[0], start, **asked) for engine in (edge, diffusers_engine))
    assert np.abs(ours - theirs).max() <= 2


def test_the_text_encoders_share_of_the_time_is_told(edge: EdgeEngine) -> None:
    drawn = edge.draw(request_for(edge.models[0], num_inference_steps=4), Steps())
    assert 0 < drawn.text_time_ms < drawn.total_time_ms
