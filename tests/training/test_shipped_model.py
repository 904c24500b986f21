"""The model folder in the repository: complete, small, and it draws what it is asked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "services/diffusion/models/pocket"
pytestmark = pytest.mark.skipif(not (FOLDER / "model_index.json").exists(), reason="the model is not exported")


@pytest.fixture(scope="module")
def defaults() -> dict:
    return json.loads((FOLDER / "easel.json").read_text())


@pytest.fixture(scope="module")
def pipeline():
    pytest.importorskip("diffusers")
    from diffusers import StableDiffusionPipeline

    loaded = StableDiffusionPipeline.from_pretrained(FOLDER, use_safetensors=True, local_files_only=True)
    loaded.set_progress_bar_config(disable=True)
    return loaded


def test_the_folder_is_complete() -> None:
    parts = {
        "model_index.json",
        "easel.json",
        "NOTICE",
        "scheduler/scheduler_config.json",
        "tokenizer/tokenizer.json",
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "preview_decoder/model.safetensors",
    }
    assert not {part for part in parts if not (FOLDER / part).is_file()}


def test_the_folder_is_within_40_megabytes() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 40_000_000


def test_the_revision_names_these_weights(defaults: dict) -> None:
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*.safetensors")):
        if path.parent.name != "preview_decoder":  # shows what is drawn, and draws nothing
            digest.update(path.read_bytes())
    assert defaults["revision"] == digest.hexdigest()[:12]


def _draw(pipeline, defaults: dict, prompt: str, **changed) -> np.ndarray:
    import torch

    asked = {
        "num_inference_steps": defaults["num_inference_steps"],
        "guidance_scale": defaults["guidance_scale"],
        "generator": torch.Generator().manual_seed(1),
        "output_type": "np",
        **changed,
    }
    return pipeline(prompt, **asked).images[0]


@pytest.mark.parametrize(("colour", "channel"), [("red", 0), ("blue", 2)])
def test_the_corners_have_the_asked_colour(pipeline, defaults: dict, colour: str, channel: int) -> None:
    picture = _draw(pipeline, defaults, f"a cat on a {colour} background")
    corners = np.concatenate(
        [picture[y, x].reshape(-1, 3) for y in (slice(16), slice(-16, None)) for x in (slice(16), slice(-16, None))]
    ).mean(0)
    assert corners.argmax() == channel
    assert corners[channel] > corners.sum() - corners[channel]


def test_the_same_seed_draws_the_same_picture(pipeline, defaults: dict) -> None:
    first, second = (_draw(pipeline, defaults, "a red fox in the snow", num_inference_steps=2) for _ in range(2))
    assert np.array_equal(first, second)


def test_other_sizes_keep_their_shape(pipeline, defaults: dict) -> None:
    assert _draw(pipeline, defaults, "a dog", height=256, width=384, num_inference_steps=2).shape == (256, 384, 3)


def test_the_same_parts_change_and_repair_pictures(pipeline) -> None:
    from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting
    from PIL import Image

    start, mask = Image.new("RGB", (256, 256), "blue"), Image.new("L", (256, 256), 0)
    mask.paste(255, (64, 64, 192, 192))
    changed = AutoPipelineForImage2Image.from_pipe(pipeline)("a cat", image=start, strength=0.5, num_inference_steps=4)
    repaired = AutoPipelineForInpainting.from_pipe(pipeline)(
        "a cat", image=start, mask_image=mask, num_inference_steps=4
    )
    assert changed.images[0].size == repaired.images[0].size == (256, 256)
