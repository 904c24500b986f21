"""Export to a diffusers folder: bfloat16 safetensors, ready for `StableDiffusionPipeline.from_pretrained`."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline

from services.diffusion.engines.preview_network import FILE

from .autoencoder import load_autoencoder
from .denoiser import build_scheduler, load_denoiser
from .latents import LatentPool
from .scenes import SIZE
from .text_encoder import load_text_encoder
from .tokenizer import load_tokenizer

#: what a caller should ask for when the user says nothing; sizes are pixels
DEFAULTS = {
    "num_inference_steps": 8,
    "guidance_scale": 2.0,
    "width": SIZE,
    "height": SIZE,
    "size_multiple": 64,
    "min_size": 128,
    "max_size": 512,
    "native_side": SIZE,
    "steps_range": [4, 30],
}
_LICENCES = "Apache-2.0; drawn from Fluent Emoji (MIT) and Noto Emoji (Apache-2.0), see NOTICE"


def build_pipeline(workdir: Path, seed: int) -> StableDiffusionPipeline:
    """The trained parts as one float32 pipeline."""
    tokenizer, autoencoder = load_tokenizer(workdir, seed), load_autoencoder(workdir)
    autoencoder.register_to_config(scaling_factor=round(LatentPool(workdir, seed).scaling_factor(), 5))
    return StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=load_text_encoder(workdir, tokenizer),
        tokenizer=tokenizer,
        unet=load_denoiser(workdir),
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def revision(folder: Path) -> str:
    """First 12 hex digits of the SHA-256 over all weights that a picture depends on, in path order."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        if path != folder / FILE:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def export(workdir: Path, folder: Path, seed: int) -> None:
    """Write the model folder afresh, with its defaults and notices."""
    pipeline = build_pipeline(workdir, seed).to(dtype=torch.bfloat16)
    # transformers loads weights as they are stored, diffusers as float32 unless told: stored as float32 they agree.
    pipeline.text_encoder.float()
    shutil.rmtree(folder, ignore_errors=True)
    pipeline.save_pretrained(folder, safe_serialization=True)
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)
    record = {**DEFAULTS, "license": _LICENCES, "revision": revision(folder)}
    (folder / "easel.json").write_text(json.dumps(record, indent=2) + "\n")
    shutil.copy(Path(__file__).with_name("NOTICE"), folder / "NOTICE")
