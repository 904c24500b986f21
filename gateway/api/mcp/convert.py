"""The tools' words to ours and back. Knows nothing of the protocol's package."""

from __future__ import annotations

from typing import Any

import msgspec

from contracts.errors import EaselError, ErrorCode
from contracts.images import ImageFormat, ModelInfo
from contracts.jobs import JobRecord
from gateway.api.mcp import schemas
from gateway.pictures import sent_picture
from gateway.resolve import Wanted

QUALITY = 80
"""Of the JPEG: models look at it, people follow the link."""


def wanted(body: schemas.GenerateArguments) -> Wanted:
    """What is asked for, as a small file."""
    return Wanted(
        prompt=body.prompt,
        model=body.model,
        negative_prompt=body.negative_prompt,
        width=body.width,
        height=body.height,
        num_inference_steps=body.steps,
        guidance_scale=body.guidance_scale,
        seed=body.seed,
        output_format=ImageFormat.JPEG,
        output_compression=QUALITY,
    )


def wanted_edit(body: schemas.EditArguments, earlier: bytes | None) -> Wanted:
    """What is asked for, from the picture that was sent or the `earlier` one.

    Raises:
        EaselError: INVALID_REQUEST.
    """
    image = sent_picture(body.image, "image") if body.image else earlier
    if image is None:
        said = "there is no picture to start from: give job_id or image"
        raise EaselError(ErrorCode.INVALID_REQUEST, said, param="image")
    mask = sent_picture(body.mask, "mask") if body.mask else None
    return msgspec.structs.replace(wanted(body), init_image=image, mask_image=mask, strength=body.strength)


def job(record: JobRecord) -> dict[str, Any]:
    """A job at one moment."""
    request, outcome = record.job.request, record.outcome
    return {
        "job_id": record.job.id,
        "status": record.state.value,
        "step": record.step,
        "total_steps": record.total_steps or request.num_inference_steps,
        "prompt": request.prompt,
        "model": request.model,
        "width": request.width,
        "height": request.height,
        "seed": request.seed,
        "pictures": [f"/job/{record.job.id}/image?index={ref.index}" for ref in (outcome.images if outcome else ())],
        "error": outcome.error.message if outcome and outcome.error else None,
    }


def model(info: ModelInfo) -> dict[str, Any]:
    """What a caller chooses by."""
    return {
        "id": info.id,
        "default_size": f"{info.default_width}x{info.default_height}",
        "sides": f"{info.min_size} to {info.max_size} pixels, in multiples of {info.size_multiple}",
        "steps": f"{info.default_steps} ({info.min_steps} to {info.max_steps})",
        "guidance_scale": info.default_guidance_scale,
        "negative_prompt": info.negative_prompt,
        "edits": info.img2img,
        "masks": info.inpaint,
        "licence": info.licence,
    }
