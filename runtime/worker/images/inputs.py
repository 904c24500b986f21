"""Pictures that clients sent, from bytes to what an engine takes. Nobody else decodes them."""

from __future__ import annotations

import io

from PIL import Image, ImageChops, ImageFilter, ImageOps, UnidentifiedImageError

from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage

FORMATS = ("PNG", "JPEG", "WEBP")
MAX_SIDE = 8192
MAX_PIXELS = 32 << 20
"""Checked from the header, before anything is decoded: 96 MiB of RGB."""
_DECODE_FAULTS = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)
"""What Pillow raises at bytes that are broken."""


def decode_image(data: bytes, request: GenerateImage) -> Image.Image:
    """The picture to start from: RGB on white, of the request's size, cropped at the centre where the shape differs.

    Raises:
        EaselError: INVALID_REQUEST, `param` being `init_image`.
    """
    return _fitted(read_image(data), request)


def read_image(data: bytes) -> Image.Image:
    """The picture to start from, RGB on white, of its own size.

    Raises:
        EaselError: INVALID_REQUEST, `param` being `init_image`.
    """
    image = _opened(data, "init_image")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == "RGB" else image.convert("RGB")


def decode_mask(data: bytes, request: GenerateImage) -> Image.Image:
    """The mask: L of the request's size, 255 where to paint.

    Raises:
        EaselError: INVALID_REQUEST, `param` being `mask_image`; also when it leaves nothing to paint.
    """
    mask = _opened(data, "mask_image")
    where = _transparent(mask)
    where = _fitted(mask.convert("L") if where is None else where, request)
    if request.mask_inverted:
        where = ImageChops.invert(where)
    if where.getextrema()[1] == 0:
        said = "the mask leaves nothing to paint: make the area to change transparent, or white in a mask without alpha"
        raise EaselError(ErrorCode.INVALID_REQUEST, said, param="mask_image")
    return where.filter(ImageFilter.GaussianBlur(request.mask_blur)) if request.mask_blur else where


def _transparent(mask: Image.Image) -> Image.Image | None:
    """255 where the picture is transparent; None when it is so nowhere."""
    if mask.mode not in ("RGBA", "LA", "PA") and "transparency" not in mask.info:
        return None
    alpha = mask.convert("RGBA").getchannel("A")
    return None if alpha.getextrema()[0] == 255 else ImageChops.invert(alpha)  # noqa: PLR2004  opaque


def _fitted(image: Image.Image, request: GenerateImage) -> Image.Image:
    size = (request.width, request.height)
    return image if image.size == size else ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def _opened(data: bytes, param: str) -> Image.Image:
    """Decoded and upright, within the limits."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (UnidentifiedImageError, *_DECODE_FAULTS) as fault:
        raise _refusal(param, "is not a PNG, JPEG or WebP picture") from fault
    width, height = image.size
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise _refusal(
            param, f"has {width}x{height} pixels; at most {MAX_SIDE} a side and {MAX_PIXELS} in all are read"
        )
    try:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
    except _DECODE_FAULTS as fault:
        raise _refusal(param, f"cannot be decoded: {fault}") from fault
    return image


def _refusal(param: str, said: str) -> EaselError:
    return EaselError(ErrorCode.INVALID_REQUEST, f"{param} {said}", param=param)
