"""Diffusers' own safety checker, small and untrained: its thresholds are set so that it objects, or not."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("diffusers")

import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPConfig, CLIPImageProcessor

from runtime.process.settings import SettingsError
from services.diffusion.safety_checker import diffusers_checker

PICTURES = [Image.new("RGB", (40, 24), colour) for colour in ("red", "blue")]
OBJECTS, AGREES = -2.0, 2.0
"""Thresholds of a cosine."""


def checker_folder(folder: Path, threshold: float) -> Path:
    vision = {
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 16,
        "patch_size": 8,
    }
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, projection_dim=4))
    with torch.no_grad():
        checker.concept_embeds_weights.fill_(threshold)
        checker.special_care_embeds_weights.fill_(AGREES)
    checker.save_pretrained(folder / "safety_checker", safe_serialization=True)
    size = {"height": 16, "width": 16}
    CLIPImageProcessor(size={"shortest_edge": 16}, crop_size=size).save_pretrained(folder / "feature_extractor")
    return folder


@pytest.mark.parametrize(("threshold", "verdict"), [(OBJECTS, True), (AGREES, False)])
def test_its_verdict_is_told_for_each_picture_and_the_pictures_stay(
    tmp_path: Path, threshold: float, verdict: bool
) -> None:
    before = [picture.tobytes() for picture in PICTURES]
    look = diffusers_checker(str(checker_folder(tmp_path, threshold)))
    assert look(PICTURES) == [verdict, verdict]
    assert [picture.tobytes() for picture in PICTURES] == before


def test_a_pickled_checker_is_refused(tmp_path: Path) -> None:
    folder = checker_folder(tmp_path, AGREES) / "safety_checker"
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(SettingsError, match=r"pytorch_model.bin, which can run code"):
        diffusers_checker(str(tmp_path))


def test_a_folder_without_a_checker_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="EASEL_SAFETY_CHECKER=diffusers:"):
        diffusers_checker(str(tmp_path))
