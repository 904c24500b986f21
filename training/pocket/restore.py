"""A work directory from an exported model: training goes on where only the model was kept."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from .denoiser import EMA_DECAY


def restore(workdir: Path, folder: Path) -> None:
    """Write what `latents`, `denoiser`, `decoder` and `export` begin with; steps are counted from 0 again.

    The text encoder comes without the questions that taught it to read, so it cannot be trained further.

    Raises FileExistsError when the directory holds a denoiser already.
    """
    if (workdir / "denoiser.pt").exists():
        raise FileExistsError(f"{workdir} holds a denoiser: restore into an empty directory")
    pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32, safety_checker=None)
    pipeline.tokenizer.save_pretrained(workdir / "tokenizer")
    encoder = {f"encoder.{name}": value for name, value in pipeline.text_encoder.state_dict().items()}
    torch.save({"model": encoder, "step": 0}, workdir / "text_encoder.pt")
    torch.save({"model": pipeline.vae.state_dict(), "step": 0}, workdir / "autoencoder.pt")
    weights = pipeline.unet.state_dict()
    average = {"model": weights, "step": round(10 * EMA_DECAY / (1 - EMA_DECAY))}
    torch.save({"model": weights, "ema": average, "step": 0}, workdir / "denoiser.pt")
