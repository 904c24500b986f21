"""Diffusers' StableDiffusionSafetyChecker as the worker's look at pictures: `EASEL_SAFETY_CHECKER=diffusers:FOLDER`."""

from __future__ import annotations

import threading
from pathlib import Path

from PIL import Image

from runtime.process.settings import SettingsError
from runtime.worker.images.checker import Look
from services.diffusion.model_folder import PICKLES


def diffusers_checker(folder: str) -> Look:
    """The checker of a model's folder: its `safety_checker` (safetensors) and `feature_extractor`. Runs on the CPU.

    Raises:
        SettingsError: they are not there, or cannot be read.
    """
    path = Path(folder).expanduser()
    weights = path / "safety_checker"
    if not any(weights.glob("*.safetensors")):
        pickles = [file.name for file in weights.glob("*") if file.suffix in PICKLES]
        why = f" but {pickles[0]}, which can run code and is never loaded" if pickles else ""
        raise SettingsError([f"EASEL_SAFETY_CHECKER=diffusers:{folder}: {weights} has no .safetensors file{why}"])
    try:
        return _look(path)
    except (ImportError, OSError, ValueError) as fault:
        raise SettingsError([f"EASEL_SAFETY_CHECKER=diffusers:{folder} cannot be loaded: {fault}"]) from fault


def _look(path: Path) -> Look:
    import numpy as np  # noqa: PLC0415  as below
    import torch  # noqa: PLC0415  only where it is asked for
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker  # noqa: PLC0415  as above
    from transformers import CLIPImageProcessor  # noqa: PLC0415  as above

    checker = StableDiffusionSafetyChecker.from_pretrained(
        path / "safety_checker", use_safetensors=True, local_files_only=True
    )  # in evaluation mode, as from_pretrained leaves it
    features = CLIPImageProcessor.from_pretrained(path / "feature_extractor", local_files_only=True)
    one_at_a_time = threading.Lock()

    def look(images: list[Image.Image]) -> list[bool]:
        """The checker blackens what it objects to, in the list that it is given: the pictures are kept out of that."""
        seen = features(images, return_tensors="pt").pixel_values
        with one_at_a_time, torch.inference_mode():
            _, flagged = checker(clip_input=seen, images=[np.zeros(1) for _ in images])
        return [bool(flag) for flag in flagged]

    return look
