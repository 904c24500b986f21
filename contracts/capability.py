"""Whether a model can draw a resolved request: asked by gateways to choose a worker, by workers before any work."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.errors import EaselError, ErrorCode
from contracts.images import MAX_LORA_WEIGHT, GenerateImage, Lora, ModelInfo

LISTED = 30
"""LoRAs that a refusal names: some people have thousands."""


def check(model: ModelInfo, request: GenerateImage) -> None:
    """Return when `model` can draw `request`.

    Raises:
        EaselError: MODEL_NOT_FOUND for another model; UNSUPPORTED, `param` being the field at fault.
    """
    if request.model != model.id:
        message = f"no model {request.model!r} here; there is {model.id}"
        raise EaselError(ErrorCode.MODEL_NOT_FOUND, message, param="model")
    for param, lacks in _lacking(model, request):
        raise EaselError(ErrorCode.UNSUPPORTED, f"{model.id} {lacks}", param=param)


def can_draw(model: ModelInfo, request: GenerateImage) -> bool:
    """As `check`, for choosing."""
    return request.model == model.id and not any(_lacking(model, request))


def _lacking(model: ModelInfo, request: GenerateImage) -> Iterator[tuple[str, str]]:
    if not draws_size(model, request.width, request.height):
        yield "size", f"does not draw {request.width}x{request.height}: {sizes(model)}"
    steps, allowed = request.num_inference_steps, model.allowed_steps or range(model.min_steps, model.max_steps + 1)
    if steps not in allowed:
        yield "num_inference_steps", f"takes {_listed(allowed)} steps, not {steps}"
    if not 0 <= request.guidance_scale <= model.max_guidance_scale:
        limit = f"0 to {model.max_guidance_scale:g}"
        yield "guidance_scale", f"takes a guidance scale of {limit}, not {request.guidance_scale:g}"
    if request.scheduler and request.scheduler not in model.schedulers:
        have = ", ".join(model.schedulers) or "only its own"
        yield "scheduler", f"has no scheduler {request.scheduler!r}; there are: {have}"
    if request.cache and request.cache.partition(":")[0] not in {it.partition(":")[0] for it in model.caches}:
        yield "cache", f"has no step cache {request.cache!r}; there are: {', '.join(model.caches) or 'none'}"
    for lora in request.loras:
        yield from _lacking_lora(model, lora)
    if request.init_image is not None and not model.img2img:
        yield "init_image", "takes no picture to start from"
    if request.mask_image is not None and not model.inpaint:
        yield "mask_image", "takes no mask"


def _lacking_lora(model: ModelInfo, lora: Lora) -> Iterator[tuple[str, str]]:
    if lora.name not in model.loras:
        yield "loras", f"has no LoRA {lora.name!r}; there are: {lora_names(model)}"
    if not -MAX_LORA_WEIGHT <= lora.weight <= MAX_LORA_WEIGHT:
        limit = f"{-MAX_LORA_WEIGHT:g} to {MAX_LORA_WEIGHT:g}"
        yield "loras", f"takes LoRAs with weights of {limit}, not {lora.name!r} with {lora.weight:g}"


def lora_names(model: ModelInfo) -> str:
    """The LoRAs that fit a model, in words."""
    more = [f"and {len(model.loras) - LISTED} more"] if len(model.loras) > LISTED else []
    return ", ".join((*model.loras[:LISTED], *more)) or "none for it"


def draws_size(model: ModelInfo, width: int, height: int) -> bool:
    """Whether `width` x `height` pixels can be drawn without rounding."""
    if model.fixed_size:
        return (width, height) == (model.default_width, model.default_height)
    sides = all(model.min_size <= side <= model.max_size for side in (width, height))
    whole = width % model.size_multiple == height % model.size_multiple == 0
    return sides and whole and width * height <= model.max_pixels


def sizes(model: ModelInfo) -> str:
    """The sizes that a model draws, in words."""
    if model.fixed_size:
        return f"its only size is {model.default_width}x{model.default_height}"
    sides = f"{model.min_size} to {model.max_size} pixels, in multiples of {model.size_multiple}"
    return f"its sides have {sides}, {model.max_pixels} pixels in all at most"


def _listed(allowed: tuple[int, ...] | range) -> str:
    if isinstance(allowed, range):
        return f"{allowed[0]} to {allowed[-1]}"
    return ", ".join(map(str, allowed))
