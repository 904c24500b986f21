"""How a picture was drawn, as text that picture tools have read since AUTOMATIC1111's web UI.

The worker writes it into the file and the gateway tells it to clients of that web UI's API, so it has one home.
"""

from __future__ import annotations

import json

from contracts.images import GenerateImage


def parameters_text(request: GenerateImage, index: int, size: tuple[int, int]) -> str:
    """Of picture `index` of a request, `size` in pixels: prompt lines, then one line of `Key: value`."""
    lines = [prompt_text(request)]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    facts = {
        "Steps": str(request.num_inference_steps),
        "Sampler": request.scheduler,
        "CFG scale": f"{request.guidance_scale:g}",
        "Seed": str(request.image_seed(index)),
        "Size": f"{size[0]}x{size[1]}",
        "Model": request.model,
        "Denoising strength": f"{request.strength:g}" if request.init_image else "",
        "Mask blur": str(request.mask_blur) if request.mask_image and request.mask_blur else "",
        "Step cache": request.cache,
        "Version": "Easel",
    }
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in facts.items() if value))
    return "\n".join(lines)


def prompt_text(request: GenerateImage) -> str:
    """The prompt with its LoRAs, as that web UI's users write them."""
    return " ".join((request.prompt, *(f"<lora:{lora.name}:{lora.weight:g}>" for lora in request.loras)))


def _quoted(value: str) -> str:
    """Values that would end the pair are written as JSON strings."""
    return json.dumps(value, ensure_ascii=False) if any(mark in value for mark in ",:\n") else value
