"""A Stable Diffusion in diffusers format to the split that Axera's compiler is given: four graphs of one fixed size.

The time embedding is cut out of the denoiser and kept as a table with a row for each timestep, as Axera does; the
denoiser's `encoder_hidden_states` and `sample` keep their names.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch

OPSET = 18
TRAIN_STEPS = 1000


class _TextEncoder(torch.nn.Module):
    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.encoder(input_ids).last_hidden_state


class _Denoiser(torch.nn.Module):
    """The UNet with its time embedding as an input."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet
        unet.time_proj = _Ignore()
        unet.time_embedding = _Given()

    def forward(self, sample: torch.Tensor, encoder_hidden_states: torch.Tensor, time_embedding: torch.Tensor) -> Any:
        self.unet.time_embedding.value = time_embedding
        return self.unet(sample, torch.zeros(1), encoder_hidden_states).sample


class _Ignore(torch.nn.Module):
    def forward(self, timesteps: torch.Tensor) -> torch.Tensor:
        return timesteps


class _Given(torch.nn.Module):
    """Stands where the time embedding was, and gives what the caller brought."""

    value: torch.Tensor

    def forward(self, _projected: torch.Tensor, _condition: Any = None) -> torch.Tensor:
        return self.value


class _Decoder(torch.nn.Module):
    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.vae.decode(x).sample


class _Encoder(torch.nn.Module):
    """Mean and log-variance where the VAE samples, latents where it does not."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, image_sample: torch.Tensor) -> torch.Tensor:
        found = self.vae.encode(image_sample)
        return found.latents if hasattr(found, "latents") else found.latent_dist.parameters


def export_model(model: Path, folder: Path) -> None:
    """Write `model` to `folder` in its default size."""
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(model, safety_checker=None).to("cpu", torch.float32)
    limits = json.loads((model / "easel.json").read_text())
    width, height, tokens = limits["width"], limits["height"], pipe.tokenizer.model_max_length
    scale = pipe.vae_scale_factor
    latents = torch.randn(1, pipe.unet.config.in_channels, height // scale, width // scale)
    ids = torch.zeros(1, tokens, dtype=torch.int64)
    (folder / "text_encoder").mkdir(parents=True, exist_ok=True)
    with torch.inference_mode():
        words = pipe.text_encoder(ids).last_hidden_state
        table = _time_table(pipe.unet)
    np.save(folder / "time_input_txt2img.npy", table.numpy())
    picture = torch.randn(1, 3, height, width)
    _export(
        _TextEncoder(pipe.text_encoder),
        {"input_ids": ids},
        "last_hidden_state",
        folder / "text_encoder/sd15_text_encoder_sim.onnx",
    )
    given = {"sample": latents, "encoder_hidden_states": words, "time_embedding": table[:1]}
    _export(_Denoiser(pipe.unet), given, "out_sample", folder / "unet.onnx")
    _export(_Decoder(pipe.vae), {"x": latents}, "out_image", folder / "vae_decoder.onnx")
    _export(_Encoder(pipe.vae), {"image_sample": picture}, "latent_sample", folder / "vae_encoder.onnx")
    shutil.copytree(model / "tokenizer", folder / "tokenizer", dirs_exist_ok=True)
    (folder / "edge.json").write_text(json.dumps(_description(pipe, model.name, limits, tokens), indent=2) + "\n")


def _time_table(unet: Any) -> torch.Tensor:
    """(1000, width): what the UNet makes of each timestep before the text is added."""
    timesteps = torch.arange(TRAIN_STEPS, dtype=torch.float32)
    return unet.time_embedding(unet.time_proj(timesteps))


def _description(pipe: Any, name: str, limits: dict[str, Any], tokens: int) -> dict[str, Any]:
    scheduler = pipe.scheduler.config
    least, most = limits["steps_range"]
    return {
        "id": name,
        "family": "stable-diffusion",
        "width": limits["width"],
        "height": limits["height"],
        "scheduler": "DDIM",
        "schedule": {
            "beta_start": scheduler.beta_start,
            "beta_end": scheduler.beta_end,
            "prediction": scheduler.prediction_type,
            "rescale_zero_snr": scheduler.rescale_betas_zero_snr,
        },
        "timesteps": [],
        "allowed_steps": list(range(least, most + 1)),
        "default_steps": limits["num_inference_steps"],
        "default_guidance_scale": limits["guidance_scale"],
        "max_guidance_scale": 30.0,
        "latent_scale": pipe.vae_scale_factor,
        "scaling_factor": pipe.vae.config.scaling_factor,
        "tokens": tokens,
        "licence": limits["license"],
        "source": f"{name}@{limits.get('revision', 'local')}",
    }


def _export(module: torch.nn.Module, inputs: dict[str, torch.Tensor], output: str, path: Path) -> None:
    with torch.inference_mode():
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            path,
            input_names=list(inputs),
            output_names=[output],
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
