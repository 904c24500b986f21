"""OpenAI's words to ours and back; the only place that knows both."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from contracts.errors import EaselError, ErrorCode
from contracts.events import Progress
from contracts.images import GenerateImage, ImageFormat, ModelInfo
from contracts.jobs import Job
from contracts.workers import WorkerPresence
from gateway.api.openai import schemas
from gateway.errors import HTTP_STATUS
from gateway.loras import asked_loras
from gateway.pictures import sent_picture
from gateway.resolve import Wanted
from gateway.service import Drawn, Picture

PIXELS_PER_TOKEN = 256
_SIZE = re.compile(r"(-?[0-9]{1,9})[xX](-?[0-9]{1,9})")
MAX_PARTIAL_IMAGES = 3
FIDELITY = {"high": 0.5, "low": 0.8}
"""`input_fidelity` as a strength."""
_PARAMS = {
    "width": "size",
    "height": "size",
    "num_inference_steps": "steps",
    "num_images": "n",
    "num_previews": "partial_images",
    "init_image": "image",
    "mask_image": "mask",
}
_TYPES = {
    ErrorCode.UNAUTHENTICATED: "authentication_error",
    ErrorCode.PERMISSION_DENIED: "permission_error",
    ErrorCode.QUEUE_FULL: "rate_limit_error",
    ErrorCode.LIMIT_REACHED: "rate_limit_error",
    ErrorCode.CONTENT_REFUSED: "image_generation_user_error",
}
_CODES = {ErrorCode.CONTENT_REFUSED: "moderation_blocked"}
"""Where OpenAI's image API has a word of its own."""
_SERVER_FAULT = 500


def wanted(body: schemas.ImagesRequest) -> Wanted:
    """What is asked for.

    Raises:
        EaselError: INVALID_REQUEST (a size that is none, contradictions).
    """
    _check(body)
    if None not in (body.steps, body.num_inference_steps) and body.steps != body.num_inference_steps:
        raise EaselError(
            ErrorCode.INVALID_REQUEST, "steps and num_inference_steps contradict each other", param="steps"
        )
    width, height = size(body.size)
    return Wanted(
        prompt=body.prompt,
        model=body.model,
        negative_prompt=body.negative_prompt,
        width=width,
        height=height,
        num_inference_steps=body.num_inference_steps if body.steps is None else body.steps,
        guidance_scale=body.guidance_scale,
        seed=body.seed,
        deterministic=bool(body.deterministic),
        cache=body.cache,
        num_images=body.n,
        output_format=body.output_format,
        output_compression=body.output_compression,
        loras=asked_loras(body.loras),
        num_previews=body.partial_images if body.stream else None,
        enhance=bool(body.use_enhancer),
        style=body.style,
    )


def wanted_edit(body: schemas.EditsRequest, image: bytes | None, mask: bytes | None) -> Wanted:
    """What is asked for, with the pictures of a form; those of a JSON body are in it.

    Raises:
        EaselError: as `wanted`; INVALID_REQUEST when there is no picture.
    """
    start = _picture(body.images[0], "image") if image is None and body.images else image
    hole = _picture(body.mask, "mask") if mask is None and body.mask is not None else mask
    if start is None:
        raise EaselError(ErrorCode.INVALID_REQUEST, "there is no picture to change; send it as image", param="image")
    fidelity = FIDELITY.get(body.input_fidelity or "") if hole is None else None
    strength = fidelity if body.strength is None else body.strength
    return msgspec.structs.replace(wanted(body), init_image=start, mask_image=hole, strength=strength)


def _picture(source: schemas.ImageSource, param: str) -> bytes | str:
    if source.image_url is None:
        message = f"{param}: no files are kept here; send the picture as a data URL in image_url"
        raise EaselError(ErrorCode.INVALID_REQUEST, message, param=param)
    return sent_picture(source.image_url, param)


def _check(body: schemas.ImagesRequest) -> None:
    """Refuse what contradicts itself or leaves OpenAI's limits."""
    if body.partial_images is not None and not 0 <= body.partial_images <= MAX_PARTIAL_IMAGES:
        message = f"partial_images must be 0 … {MAX_PARTIAL_IMAGES}, not {body.partial_images}"
        raise EaselError(ErrorCode.INVALID_REQUEST, message, param="partial_images")
    if body.background == "transparent" and body.output_format is ImageFormat.JPEG:
        message = "a JPEG cannot be transparent; ask for png or webp"
        raise EaselError(ErrorCode.INVALID_REQUEST, message, param="background")


def notes(body: schemas.ImagesRequest, pictures: int = 1) -> tuple[str, ...]:
    """What the client should know of fields that have no effect."""
    said = []
    if body.background == "transparent":
        said.append("the background is opaque: no model here draws a transparent one")
    if pictures > 1:
        said.append(f"only the first of {pictures} pictures is used")
    return tuple(said)


def ignored(body: schemas.ImagesRequest, named: set[str]) -> set[str]:
    """Those of the fields that a client `named` which change nothing here, or nothing beside the others."""
    understood = set(body.__struct_encode_fields__)
    lossless = body.output_format in (None, ImageFormat.PNG)
    without_effect = {
        "style": not body.use_enhancer,
        "partial_images": bool(body.partial_images) and not body.stream,
        "output_compression": body.output_compression not in (None, 100) and lossless,
        "response_format": body.response_format == "url" and bool(body.stream),
    }
    if isinstance(body, schemas.EditsRequest):
        without_effect["input_fidelity"] = body.strength is not None or body.mask is not None or "mask" in named
    return named - understood | {name for name, idle in without_effect.items() if idle and name in named}


def size(text: str | None) -> tuple[int | None, int | None]:
    """Width and height in pixels; nothing for `auto`.

    Raises:
        EaselError: INVALID_REQUEST.
    """
    if text is None or text in ("", "auto"):
        return None, None
    match = _SIZE.fullmatch(text)
    if match is None:
        raise EaselError(ErrorCode.INVALID_REQUEST, "size must be 'auto' or like '1024x768'", param="size")
    return int(match[1]), int(match[2])


def wants_links(body: schemas.ImagesRequest) -> bool:
    """Clients that still ask for DALL-E read `url`; OpenAI itself has answered with pictures since it retired it."""
    if body.response_format is not None:
        return body.response_format == "url"
    return (body.model or "").startswith("dall-e")


def reply(drawn: Drawn, link: Callable[[Picture], str] | None) -> schemas.ImagesReply:
    """The answer; with links where `link` makes them."""
    job = drawn.outcome.job
    request, first = job.request, drawn.pictures[0].ref
    return schemas.ImagesReply(
        created=int(drawn.outcome.finished_at),
        data=[_item(picture, request.prompt, link) for picture in drawn.pictures],
        output_format=request.output_format,
        size=f"{first.width}x{first.height}",
        usage=usage(request),
        model=request.model,
        job_id=job.id,
    )


def _item(picture: Picture, prompt: str, link: Callable[[Picture], str] | None) -> schemas.ImageItem:
    if link is not None:
        return schemas.ImageItem(url=link(picture), revised_prompt=prompt, seed=picture.ref.seed)
    return schemas.ImageItem(b64_json=picture.data, revised_prompt=prompt, seed=picture.ref.seed)


def partial(kind: str, job: Job, happened: Progress, number: int) -> schemas.StreamedImage:
    """One picture of the unfinished work, in the form that it has."""
    preview = happened.previews[0]
    return schemas.StreamedImage(
        type=f"{kind}.partial_image",
        b64_json=preview.data,
        partial_image_index=number,
        created_at=int(job.created_at),
        size=f"{preview.width}x{preview.height}",
        output_format=preview.content_type.removeprefix("image/"),
    )


def completed(kind: str, drawn: Drawn) -> list[schemas.StreamedImage]:
    """The finished pictures; the last one tells the usage."""
    request, last = drawn.outcome.job.request, len(drawn.pictures) - 1
    return [
        schemas.StreamedImage(
            type=f"{kind}.completed",
            b64_json=picture.data,
            created_at=int(drawn.outcome.finished_at),
            size=f"{picture.ref.width}x{picture.ref.height}",
            output_format=request.output_format,
            usage=usage(request) if index == last else msgspec.UNSET,
        )
        for index, picture in enumerate(drawn.pictures)
    ]


def usage(request: GenerateImage) -> schemas.Usage:
    """As `schemas.Usage` defines it."""
    words = len(request.prompt.split()) + len(request.negative_prompt.split())
    drawn = -(-request.width * request.height // PIXELS_PER_TOKEN) * request.num_images
    return schemas.Usage(
        input_tokens=words,
        input_tokens_details=schemas.InputTokens(text_tokens=words),
        output_tokens=drawn,
        total_tokens=words + drawn,
    )


def model(info: ModelInfo, worker: WorkerPresence) -> schemas.Model:
    """One entry of the list."""
    return schemas.Model(
        id=info.id,
        created=int(worker.started_at),
        family=info.family,
        default_size=f"{info.default_width}x{info.default_height}",
        default_steps=info.default_steps,
        min_steps=info.min_steps,
        max_steps=info.max_steps,
        default_guidance_scale=info.default_guidance_scale,
        max_guidance_scale=info.max_guidance_scale,
        size_multiple=info.size_multiple,
        min_size=info.min_size,
        max_size=info.max_size,
        max_pixels=info.max_pixels,
        fixed_size=info.fixed_size,
        allowed_steps=list(info.allowed_steps),
        schedulers=list(info.schedulers),
        caches=list(info.caches),
        negative_prompt=info.negative_prompt,
        img2img=info.img2img,
        inpaint=info.inpaint,
        loras=list(info.loras),
        licence=info.licence,
    )


def error(fault: EaselError) -> tuple[int, schemas.ErrorReply]:
    """Status and body of a failure."""
    status = HTTP_STATUS[fault.code]
    kind = _TYPES.get(fault.code) or ("server_error" if status >= _SERVER_FAULT else "invalid_request_error")
    param = _PARAMS.get(fault.param, fault.param) if fault.param else None
    code = _CODES.get(fault.code, fault.code.value)
    return status, schemas.ErrorReply(schemas.Fault(message=fault.message, type=kind, param=param, code=code))
