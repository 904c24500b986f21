"""The web UI's `resize_mode`: how a picture to start from gets the request's size."""

from __future__ import annotations

from PIL import Image

from contracts.images import GenerateImage
from runtime.worker.images.inputs import Size, cropped, decode_image
from runtime.worker.images.strips import Box


def _stretched(picture: Size, size: Size) -> tuple[Box, Size]:
    return (0, 0, *picture), size


def _contained(picture: Size, size: Size) -> tuple[Box, Size]:
    """All of it in its own shape, as large as fits."""
    width, height = picture
    if width * size[1] > height * size[0]:
        size = size[0], max(1, round(height / width * size[0]))
    else:
        size = max(1, round(width / height * size[1])), size[1]
    return (0, 0, *picture), size


RESIZE_MODES = (_stretched, cropped, _contained)


def start_picture(data: bytes, request: GenerateImage, mode: int) -> Image.Image:
    """The picture, of the request's size: stretched (mode 0), cropped (1) or with black borders (2).

    Raises:
        EaselError: as `decode_image`.
    """
    image, size = decode_image(data, request, RESIZE_MODES[mode]), (request.width, request.height)
    if image.size == size:
        return image
    whole = Image.new("RGB", size, "black")
    whole.paste(image, (round((size[0] - image.width) * 0.5), round((size[1] - image.height) * 0.5)))
    return whole
