"""One request to one call of a diffusers pipeline: what differs between the families, and pictures out of numbers."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec
import numpy as np
import torch
from PIL import Image

from contracts.capability import check
from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage, ModelInfo
from runtime.worker.images.engine import NO_INPUTS, Inputs
from services.diffusion.catalogue import Model
from services.diffusion.families import FLUX_SCHNELL_PROMPT_TOKENS, Family

Z_IMAGE_FORWARDS = {9: 8}
"""Z-Image-Turbo's publishers ask for nine steps, of which the ninth had no effect; diffusers dropped it in 2026
(https://github.com/huggingface/diffusers/pull/13730), so that 9 would now mean another schedule."""


LEAST = 1 + 1e-6
"""Steps that a picture to start from leaves at least: pipelines round down, and refuse to make none."""


def check_request(info: ModelInfo, request: GenerateImage) -> None:
    """Refuse what the model cannot draw, before any work; the request may name it by another of its names.

    Raises:
        EaselError: UNSUPPORTED, with the field at fault.
    """
    check(info, msgspec.structs.replace(request, model=info.id))
    if not 0 <= request.strength <= 1:
        said = f"a strength of {request.strength:g}: it goes from 0 to 1"
        raise EaselError(ErrorCode.UNSUPPORTED, said, param="strength")


def pipeline_class(family: Family, inputs: Inputs) -> str:
    """The class of diffusers for what is to be done."""
    if inputs.mask is not None:
        return family.inpaint
    return family.pipeline if inputs.image is None else family.image_to_image


def call_arguments(pipe: Any, model: Model, request: GenerateImage, inputs: Inputs = NO_INPUTS) -> dict[str, Any]:
    """Arguments of `pipe(...)`.

    Noise comes from one CPU generator for each picture: a seed means the same on every device, alone and among others.
    """
    seeds = [request.image_seed(index) for index in range(request.num_images)]
    arguments: dict[str, Any] = {
        "prompt": request.prompt,
        "width": request.width,
        "height": request.height,
        "num_inference_steps": _steps(model, request),
        "guidance_scale": request.guidance_scale,
        "num_images_per_prompt": request.num_images,
        "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds],
        "output_type": "np",
    }
    if model.info.negative_prompt and request.negative_prompt:
        arguments["negative_prompt"] = request.negative_prompt
    if model.family.max_prompt_tokens is not None:
        schnell = model.family.name == "flux" and not pipe.transformer.config.guidance_embeds
        arguments["max_sequence_length"] = FLUX_SCHNELL_PROMPT_TOKENS if schnell else model.family.max_prompt_tokens
    if inputs.image is not None:
        arguments["image"] = [inputs.image] * request.num_images  # not all repeat it themselves
        arguments |= _start(pipe, request.strength, arguments["num_inference_steps"])
    if inputs.mask is not None:
        arguments["mask_image"] = inputs.mask
    known = inspect.signature(pipe.__call__).parameters  # some take the size from the picture
    return {name: value for name, value in arguments.items() if name in known}


def _steps(model: Model, request: GenerateImage) -> int:
    steps = request.num_inference_steps
    return Z_IMAGE_FORWARDS.get(steps, steps) if model.family.name == "z-image" else steps


def _start(pipe: Any, strength: float, steps: int) -> dict[str, Any]:
    """From a picture: late enough for its strength, early enough for one step."""
    original = getattr(pipe.scheduler.config, "original_inference_steps", None)
    if original is not None:  # a consistency model skips through so many steps, of which `strength` leaves some
        strength = max(strength, LEAST / original)
        return {"strength": strength, "num_inference_steps": min(steps, int(original * strength))}
    return {"strength": min(1.0, max(strength, LEAST / steps))}


def to_pictures(numbers: np.ndarray[Any, Any]) -> list[Image.Image]:
    """Float RGB in 0 … 1, shaped (batch, height, width, 3), as pictures.

    Raises:
        FloatingPointError: some numbers are none, which would show as black.
    """
    if not np.isfinite(numbers).all():
        raise FloatingPointError
    return [Image.fromarray(picture) for picture in (numbers * 255).round().astype(np.uint8)]


def latent_pictures(pipe: Any, latents: torch.Tensor, width: int, height: int) -> torch.Tensor:
    """Running latents as (pictures, channels, height, width): Flux packs four into one."""
    if latents.dim() == 3:  # noqa: PLR2004  pictures, patches, channels
        latents = pipe._unpack_latents(latents, height, width, pipe.vae_scale_factor)  # noqa: SLF001  no public one
    return latents


def keep_unmasked(pictures: list[Image.Image], inputs: Inputs) -> list[Image.Image]:
    """Put the first picture's own pixels back where the mask keeps them: the VAE changes all a little.

    Previews may be smaller.
    """
    if inputs.image is None or inputs.mask is None:
        return pictures
    size = pictures[0].size
    start, mask = (it if it.size == size else it.resize(size) for it in (inputs.image, inputs.mask))
    return [Image.composite(picture, start, mask) for picture in pictures]
