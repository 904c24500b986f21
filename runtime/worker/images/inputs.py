"""Pictures that clients sent, from bytes to what an engine takes. Nobody else decodes them."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image, ImageChops, ImageFilter, UnidentifiedImageError

from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage
from contracts.sent_pictures import read_header, refusal
from runtime.worker.images import metadata
from runtime.worker.images.strips import Box, Convert, Upright, resized

Size = tuple[int, int]
Fit = Callable[[Size, Size], tuple[Box, Size]]
"""From the sizes of a picture and of the request to the part of the picture that is taken, and the size it gets."""

_DECODE_FAULTS = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)
"""What Pillow raises at bytes that are broken."""


def cropped(picture: Size, size: Size) -> tuple[Box, Size]:
    """At the centre, where the shape differs."""
    width, height = float(picture[0]), float(picture[1])
    shape = size[0] / size[1]
    if width / height > shape:
        width = shape * height
    elif width / height < shape:
        height = width / shape
    left, top = (picture[0] - width) * 0.5, (picture[1] - height) * 0.5
    return (left, top, left + width, top + height), size


def decode_image(data: bytes, request: GenerateImage, fit: Fit = cropped) -> Image.Image:
    """The picture to start from: RGB on white, of the request's size or what `fit` makes of that.

    Beside the file and the result this takes 50 MB at most, whatever was sent.

    Raises:
        EaselError: INVALID_REQUEST, `param` being `init_image`.
    """
    return _fitted(_opened(data, "init_image"), request, fit, _on_white)


def decode_mask(data: bytes, request: GenerateImage) -> Image.Image:
    """The mask: L of the request's size, 255 where to paint.

    Raises:
        EaselError: INVALID_REQUEST, `param` being `mask_image`; also when it leaves nothing to paint.
    """
    mask = _opened(data, "mask_image")
    convert = _transparency if any(map(_is_transparent, mask.strips())) else _lightness
    where = _fitted(mask, request, cropped, convert)
    if request.mask_inverted:
        where = ImageChops.invert(where)
    if where.getextrema()[1] == 0:
        said = "the mask leaves nothing to paint: make the area to change transparent, or white in a mask without alpha"
        raise EaselError(ErrorCode.INVALID_REQUEST, said, param="mask_image")
    return where.filter(ImageFilter.GaussianBlur(request.mask_blur)) if request.mask_blur else where


def _fitted(picture: Upright, request: GenerateImage, fit: Fit, convert: Convert) -> Image.Image:
    box, size = fit(picture.size, (request.width, request.height))
    return resized(picture, size, box, convert)


def _on_white(strip: Image.Image) -> Image.Image:
    if _has_alpha(strip):
        strip = strip.convert("RGBA")
        strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
    return strip if strip.mode == "RGB" else strip.convert("RGB")


def _lightness(strip: Image.Image) -> Image.Image:
    return strip.convert("L")


def _transparency(strip: Image.Image) -> Image.Image:
    return ImageChops.invert(strip.convert("RGBA").getchannel("A"))


def _is_transparent(strip: Image.Image) -> bool:
    return _has_alpha(strip) and strip.convert("RGBA").getchannel("A").getextrema()[0] != 255  # noqa: PLR2004  opaque


def _has_alpha(strip: Image.Image) -> bool:
    return strip.mode in ("RGBA", "LA", "PA") or "transparency" in strip.info


def _opened(data: bytes, param: str) -> Upright:
    """Decoded, within the limits: a large JPEG at a part of its size."""
    header = read_header(data, param)
    if not metadata.fits(data, header):
        raise refusal(param, "carries too much beside its pixels (texts, profiles, previews): send it without")
    try:
        image = Image.open(io.BytesIO(data), formats=(header.kind.name,))
        if image.size != (header.width, header.height):
            raise refusal(param, f"cannot be decoded: it says {header.width}x{header.height} and {image.size} pixels")
        if header.scale > 1:
            image.draft(None, (header.width // header.scale, header.height // header.scale))
        image.load()
        return Upright(image)
    except UnidentifiedImageError as fault:
        raise refusal(param, "is not a PNG, JPEG or WebP picture") from fault
    except _DECODE_FAULTS as fault:
        raise refusal(param, f"cannot be decoded: {fault}") from fault
