"""From what a client asked to a request that leaves the worker nothing to choose."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from contracts import step_cache
from contracts.capability import draws_size, sizes
from contracts.errors import EaselError, ErrorCode
from contracts.images import MAX_IMAGES, MAX_SEED, GenerateImage, ImageFormat, Lora, ModelInfo
from gateway.loras import find_loras
from gateway.pictures import picture_size
from gateway.settings import GatewaySettings

LARGEST_SIDE = 16_384
"""Pixels; more is a mistake rather than a wish, and refused instead of made smaller."""
MAX_PREVIEWS = 50
MAX_MASK_BLUR = 128
MAX_STYLE_CHARACTERS = 200
STRENGTH = 0.8
_ALIAS = re.compile(r"(gpt-image-|dall-e-).*|chatgpt-image-latest")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A request in `GenerateImage`'s words; None where the client left the choice to us."""

    prompt: str
    model: str | None = None
    negative_prompt: str | None = None
    width: int | None = None
    height: int | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    seed: int | None = None
    """-1 means None."""
    num_images: int | None = None
    output_format: ImageFormat | None = None
    output_compression: int | None = None
    init_image: bytes | str | None = None
    """PNG, JPEG or WebP as the client sent it, or an address that it is to be fetched from; without `width` and
    `height` it gives the shape too."""
    mask_image: bytes | str | None = None
    mask_inverted: bool = False
    mask_blur: int | None = None
    strength: float | None = None
    """None: `STRENGTH`, or 1 with a mask."""
    scheduler: str | None = None
    loras: tuple[Lora, ...] = ()
    """By their names, or by the last part of one that no other has."""
    num_previews: int | None = None
    deterministic: bool = False
    cache: str | None = None
    """`name` or `name:setting`; `none` where the model's own is not wanted."""
    lenient: bool = False
    """Steps, guidance, scheduler and size are wishes: the model's nearest are taken where it has not these."""
    device: str | None = None
    """Draw on this one, by a name that `device_is` knows."""
    dialect: str = ""
    """Who asks, where it matters later."""
    enhance: bool = False
    """Draw a better prompt, which the enhancer makes of this one."""
    style: str | None = None
    """What the enhancer should make it look like."""


class Resolved(msgspec.Struct, frozen=True):
    """The request to queue, and what the client should know about it."""

    request: GenerateImage
    warnings: tuple[str, ...] = ()


def choose_model(name: str | None, offered: Sequence[ModelInfo], settings: GatewaySettings) -> ModelInfo:
    """The offered model that `name` means.

    Raises:
        EaselError: UNAVAILABLE when nothing is offered, MODEL_NOT_FOUND with what is.
    """
    if not offered:
        raise EaselError(ErrorCode.UNAVAILABLE, "no worker is connected yet; try again soon", retry_after_s=5)
    found = next((model for model in offered if _is_called(model, name or "")), None)
    if found is not None:
        return found
    if not name or (settings.model_aliases and _ALIAS.fullmatch(name)):
        wished = settings.default_model
        return next((model for model in offered if _is_called(model, wished)), offered[0])
    have = ", ".join(model.id for model in offered)
    raise EaselError(
        ErrorCode.MODEL_NOT_FOUND, f"no worker offers the model {name!r}; there are: {have}", param="model"
    )


def _is_called(model: ModelInfo, name: str) -> bool:
    """By its id, or by the hub id that it comes from."""
    return bool(name) and (name in (model.id, model.source) or model.source.startswith(f"{name}@"))


def resolve(wanted: Wanted, model: ModelInfo, settings: GatewaySettings) -> Resolved:
    """Fill in, check and round what was wanted for a model.

    Raises:
        EaselError: INVALID_REQUEST or UNSUPPORTED, `param` being the field of `GenerateImage`.
    """
    _check_prompt("prompt", wanted.prompt, settings)
    if not wanted.prompt.strip() and wanted.init_image is None:
        raise EaselError(ErrorCode.INVALID_REQUEST, "the prompt is empty; say what to draw", param="prompt")
    _check_prompt("negative_prompt", wanted.negative_prompt or "", settings)
    check_style(wanted.style)
    start = _start(wanted, model)
    width, height = _size(wanted, start, model, settings)
    negative, warnings = wanted.negative_prompt or "", list[str]()
    if negative and not model.negative_prompt:
        negative = ""
        warnings.append(f"{model.id} pays no attention to a negative prompt")
    if wanted.lenient:
        wanted, notes = _nearest(wanted, model)
        warnings += notes
    request = GenerateImage(
        model=model.id,
        prompt=wanted.prompt,
        negative_prompt=negative,
        width=width,
        height=height,
        num_inference_steps=_steps(wanted.num_inference_steps, model, settings),
        guidance_scale=_guidance(wanted.guidance_scale, model, settings),
        seed=_seed(wanted.seed),
        num_images=_count(wanted.num_images),
        output_format=wanted.output_format or ImageFormat.PNG,
        output_compression=_compression(wanted.output_compression),
        mask_inverted=wanted.mask_inverted,
        mask_blur=0 if wanted.mask_blur is None else _within("mask_blur", wanted.mask_blur, 0, MAX_MASK_BLUR),
        strength=_strength(wanted),
        scheduler=_scheduler(wanted.scheduler, model),
        loras=find_loras(wanted.loras, model),
        num_previews=_previews(wanted.num_previews),
        deterministic=wanted.deterministic,
        cache=step_cache.chosen(model.cache if wanted.cache is None else wanted.cache, model.caches),
    )
    return Resolved(request, tuple(warnings))


def check_style(style: str | None) -> None:
    """Refuse a style that is a prompt of its own.

    Raises:
        EaselError: INVALID_REQUEST.
    """
    if style and len(style) > MAX_STYLE_CHARACTERS:
        message = f"style: {len(style)} characters; at most {MAX_STYLE_CHARACTERS} are taken"
        raise EaselError(ErrorCode.INVALID_REQUEST, message, param="style")


def _check_prompt(param: str, text: str, settings: GatewaySettings) -> None:
    limit = settings.max_prompt_characters
    if len(text) > limit:
        raise EaselError(ErrorCode.INVALID_REQUEST, f"{len(text)} characters; at most {limit} are taken", param=param)


def _start(wanted: Wanted, model: ModelInfo) -> tuple[int, int] | None:
    """Size of the picture to start from, if there is one; whether the model takes what was sent."""
    if wanted.mask_image is not None:
        if wanted.init_image is None:
            said = "a mask says where to change a picture; send the picture too"
            raise EaselError(ErrorCode.INVALID_REQUEST, said, param="init_image")
        picture_size(wanted.mask_image, "mask_image")
        if not model.inpaint:
            raise EaselError(ErrorCode.UNSUPPORTED, f"{model.id} takes no mask", param="mask_image")
    if wanted.init_image is None:
        return None
    if not model.img2img:
        raise EaselError(ErrorCode.UNSUPPORTED, f"{model.id} takes no picture to start from", param="init_image")
    return picture_size(wanted.init_image, "init_image")


def _strength(wanted: Wanted) -> float:
    if wanted.strength is None:
        return 1.0 if wanted.mask_image is not None else STRENGTH
    _within("strength", wanted.strength, 0, 1, ErrorCode.INVALID_REQUEST)
    return wanted.strength


def _scheduler(asked: str | None, model: ModelInfo) -> str:
    if not asked:
        return ""
    found = next((name for name in model.schedulers if name.lower() == asked.lower()), None)
    if found is None:
        have = ", ".join(model.schedulers) or "only its own"
        said = f"{model.id} has no scheduler {asked!r}; there are: {have}"
        raise EaselError(ErrorCode.UNSUPPORTED, said, param="scheduler")
    return found


def _nearest(wanted: Wanted, model: ModelInfo) -> tuple[Wanted, list[str]]:
    """With steps, guidance and scheduler that the model has, and what became of them."""
    changes: dict[str, Any] = {}
    if wanted.num_inference_steps is not None:
        allowed = model.allowed_steps or (max(model.min_steps, min(model.max_steps, wanted.num_inference_steps)),)
        changes["num_inference_steps"] = min(allowed, key=lambda it: (abs(it - (wanted.num_inference_steps or 0)), -it))
    if wanted.guidance_scale is not None:
        changes["guidance_scale"] = max(0.0, min(model.max_guidance_scale, wanted.guidance_scale))
    if wanted.scheduler:
        changes["scheduler"] = _like(wanted.scheduler, model.schedulers)
    notes = [
        f"{name} {getattr(wanted, name)} became {value or 'the own one'} of {model.id}"
        for name, value in changes.items()
        if value != getattr(wanted, name)
    ]
    return msgspec.structs.replace(wanted, **changes), notes


def _like(name: str, have: Sequence[str]) -> str:
    """The scheduler of that name, or of its first words: `DPM++ 2M Karras` is a `DPM++ 2M`; empty for none."""
    known = {it.lower(): it for it in have}
    words = name.lower().split()
    return next((known[key] for end in range(len(words), 0, -1) if (key := " ".join(words[:end])) in known), "")


def _previews(asked: int | None) -> int:
    return 0 if asked is None else _within("num_previews", asked, 0, MAX_PREVIEWS, ErrorCode.INVALID_REQUEST)


def _within(param: str, value: float, low: float, high: float, code: ErrorCode = ErrorCode.UNSUPPORTED) -> int:
    if not low <= value <= high:
        message = f"{param} must be {low:g} … {high:g}, not {value:g}"
        raise EaselError(code, message, param=param)
    return int(value)


def _steps(asked: int | None, model: ModelInfo, settings: GatewaySettings) -> int:
    if asked is not None:
        if model.allowed_steps and asked not in model.allowed_steps:
            said = f"{model.id} takes {', '.join(map(str, model.allowed_steps))} steps, not {asked}"
            raise EaselError(ErrorCode.UNSUPPORTED, said, param="num_inference_steps")
        return _within("num_inference_steps", asked, model.min_steps, model.max_steps)
    if model.allowed_steps:
        return model.default_steps
    return max(model.min_steps, min(model.max_steps, settings.default_steps or model.default_steps))


def _guidance(asked: float | None, model: ModelInfo, settings: GatewaySettings) -> float:
    if asked is not None:
        _within("guidance_scale", asked, 0, model.max_guidance_scale)
        return asked
    preset = settings.default_guidance_scale
    return model.default_guidance_scale if preset is None else max(0.0, min(model.max_guidance_scale, preset))


def random_seed() -> int:
    """Any seed that a request may have."""
    return secrets.randbelow(MAX_SEED + 1)


def _seed(asked: int | None) -> int:
    if asked is None or asked == -1:
        return random_seed()
    return _within("seed", asked, 0, MAX_SEED, ErrorCode.INVALID_REQUEST)


def _count(asked: int | None) -> int:
    return 1 if asked is None else _within("num_images", asked, 1, MAX_IMAGES, ErrorCode.INVALID_REQUEST)


def _compression(asked: int | None) -> int:
    return 100 if asked is None else _within("output_compression", asked, 0, 100, ErrorCode.INVALID_REQUEST)


def _size(
    wanted: Wanted, start: tuple[int, int] | None, model: ModelInfo, settings: GatewaySettings
) -> tuple[int, int]:
    for param, asked in (("width", wanted.width), ("height", wanted.height)):
        if asked is not None:
            _within(param, asked, 1, LARGEST_SIDE, ErrorCode.INVALID_REQUEST)
    if start is not None and wanted.width is None and wanted.height is None and not model.fixed_size:
        return legal_size(*_shrunk(*start, model), model)
    width = wanted.width or settings.default_width or model.default_width
    height = wanted.height or settings.default_height or model.default_height
    if model.fixed_size:
        wide, tall = wanted.width or model.default_width, wanted.height or model.default_height
        if not draws_size(model, wide, tall) and not wanted.lenient:
            said = f"{model.id} does not draw {wide}x{tall}: {sizes(model)}"
            raise EaselError(ErrorCode.UNSUPPORTED, said, param="width" if wanted.width else "height")
        return model.default_width, model.default_height
    return legal_size(width, height, model)


def _shrunk(width: int, height: int, model: ModelInfo) -> tuple[int, int]:
    """Of the same shape, no larger than the model draws."""
    scale = min(1.0, model.max_size / max(width, height), math.sqrt(model.max_pixels / (width * height)))
    return max(1, round(width * scale)), max(1, round(height * scale))


def legal_size(width: int, height: int, model: ModelInfo) -> tuple[int, int]:
    """The nearest size in pixels that the model draws, of nearly the same shape where it has to be smaller."""
    multiple = model.size_multiple
    low = math.ceil(model.min_size / multiple) * multiple
    high = model.max_size // multiple * multiple

    def snap(side: float) -> int:
        return max(low, min(high, int(side / multiple + 0.5) * multiple))

    wide, tall = snap(width), snap(height)
    if wide * tall <= model.max_pixels:
        return wide, tall
    scale = math.sqrt(model.max_pixels / (wide * tall))
    wide = max(low, int(wide * scale / multiple) * multiple)
    tall = max(low, min(tall, model.max_pixels // wide // multiple * multiple))
    if wide * tall > model.max_pixels:  # the shape is so narrow that the short side was raised
        wide = max(low, model.max_pixels // tall // multiple * multiple)
    return wide, tall
