"""gRPC's words to ours and back."""

from __future__ import annotations

from typing import Any

import grpc
import msgspec

from contracts.errors import EaselError, ErrorCode
from contracts.events import Finished, JobEvent, Progress
from contracts.images import Lora, ModelInfo, PreviewImage
from contracts.jobs import JobOutcome
from contracts.prompts import EnhancedPrompt
from gateway.errors import HTTP_STATUS
from gateway.resolve import Wanted
from gateway.rpc import text2image_pb2 as pb
from gateway.service import Picture

PRESET_SIDE = 512
PRESET_STEPS = 50
PRESET_GUIDANCE_SCALE = 7.5
"""What a request without these fields means in this dialect, where the model allows it."""
RANDOM_SEED = -1

GRPC_STATUS: dict[ErrorCode, grpc.StatusCode] = {
    ErrorCode.INVALID_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorCode.UNSUPPORTED: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorCode.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    ErrorCode.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    ErrorCode.CONTENT_REFUSED: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorCode.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    ErrorCode.METHOD_NOT_ALLOWED: grpc.StatusCode.UNIMPLEMENTED,
    ErrorCode.MODEL_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    ErrorCode.CONFLICT: grpc.StatusCode.FAILED_PRECONDITION,
    ErrorCode.PAYLOAD_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorCode.QUEUE_FULL: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorCode.LIMIT_REACHED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorCode.DEADLINE_EXCEEDED: grpc.StatusCode.DEADLINE_EXCEEDED,
    ErrorCode.CANCELLED: grpc.StatusCode.CANCELLED,
    ErrorCode.ENGINE_FAILED: grpc.StatusCode.INTERNAL,
    ErrorCode.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    ErrorCode.INTERNAL: grpc.StatusCode.INTERNAL,
}


def wanted(request: pb.ImageRequest, model: ModelInfo) -> Wanted:
    """The request, with this dialect's presets where the model allows them."""
    steps, guidance = model.default_steps, model.default_guidance_scale
    if model.min_steps <= PRESET_STEPS <= model.max_steps:
        steps = PRESET_STEPS
    if model.max_guidance_scale >= PRESET_GUIDANCE_SCALE:
        guidance = PRESET_GUIDANCE_SCALE
    side = None if request.init_image else PRESET_SIDE  # a picture to start from brings its shape
    return Wanted(
        prompt=request.prompt,
        model=model.id,
        negative_prompt=request.negative_prompt,
        width=request.width if request.HasField("width") else side,
        height=request.height if request.HasField("height") else side,
        num_inference_steps=request.num_inference_steps if request.HasField("num_inference_steps") else steps,
        guidance_scale=request.guidance_scale if request.HasField("guidance_scale") else guidance,
        seed=request.seed if request.HasField("seed") else RANDOM_SEED,
        num_previews=request.num_previews,
        init_image=request.init_image or None,
        mask_image=request.mask_image or None,
        strength=request.strength if request.HasField("strength") else None,
        loras=tuple(Lora(it.name, it.weight if it.HasField("weight") else 1.0) for it in request.loras),
        enhance=request.use_enhancer,
        style=request.style or None,
        cache=request.cache if request.HasField("cache") else None,
    )


def response(outcome: JobOutcome, picture: Picture) -> pb.ImageResponse:
    """The answer for a job that succeeded."""
    request = outcome.job.request
    facts: dict[str, Any] = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "width": picture.ref.width,
        "height": picture.ref.height,
        "seed": picture.ref.seed,
        "guidance_scale": request.guidance_scale,
        "num_inference_steps": request.num_inference_steps,
        "model": request.model,
        "job_id": outcome.job.id,
        "generation_time": round(outcome.finished_at - outcome.job.created_at, 3),
    }
    return pb.ImageResponse(
        status_code=200,
        message="ok",
        image=picture.data,
        content_type=picture.ref.content_type,
        width=picture.ref.width,
        height=picture.ref.height,
        seed=picture.ref.seed,
        model=request.model,
        job_id=outcome.job.id,
        generation_time=facts["generation_time"],
        metadata_json=msgspec.json.encode({"status_code": 200, **facts}).decode(),
    )


def enhanced(prompt: str, answer: EnhancedPrompt) -> pb.EnhanceResponse:
    """The answer for a prompt that was written out."""
    facts: dict[str, Any] = {
        "prompt": prompt,
        "enhanced_prompt": answer.prompt,
        "source": answer.source,
        "language_model": answer.language_model,
    }
    return pb.EnhanceResponse(
        status_code=200,
        enhanced_prompt=answer.prompt,
        source=answer.source,
        language_model=answer.language_model,
        metadata_json=msgspec.json.encode({"status_code": 200, **facts}).decode(),
    )


def progress(event: JobEvent) -> pb.ImageEvent | None:
    """What a stream says of an event; None for events that it keeps to itself."""
    if isinstance(event, Progress):
        shown = [_preview(preview) for preview in event.previews[:1]]
        said = pb.Progress(step=event.step, total_steps=event.total_steps, preview=shown[0] if shown else None)
        return pb.ImageEvent(progress=said)
    return None


def _preview(preview: PreviewImage) -> pb.Preview:
    return pb.Preview(image=preview.data, content_type=preview.content_type, width=preview.width, height=preview.height)


def ended(event: JobEvent) -> JobOutcome | None:
    """The outcome, at the last event."""
    return event.outcome if isinstance(event, Finished) else None


def error_json(error: EaselError) -> str:
    """The failure as a JSON object with its HTTP status, in ASCII, for the trailing metadata."""
    said = {"status_code": HTTP_STATUS[error.code], "code": error.code, "error": error.message, "param": error.param}
    return msgspec.json.encode(said).decode().encode("ascii", "backslashreplace").decode()
