"""Pictures of unfinished work: when to make them, and how they travel."""

from __future__ import annotations

import numpy as np
import simplejpeg
from PIL import Image

from contracts.images import GenerateImage, PreviewImage
from runtime.worker.handler import OnStep
from runtime.worker.images.engine import OnImageStep, Pixels, PreviewSource

LONGEST_SIDE = 512
"""Pixels; a preview is looked at for a second."""
_QUALITY = 80


def with_previews(request: GenerateImage, on_step: OnStep) -> OnImageStep:
    """An engine's `on_step` that sends the request's previews along."""

    def report(done: int, total: int, preview: PreviewSource | None = None, /) -> None:
        due = preview is not None and done in preview_steps(request.num_previews, total)
        on_step(done, total, encode_previews(preview()) if due and preview is not None else ())

    return report


def preview_steps(count: int, total: int) -> frozenset[int]:
    """The steps after which to show `count` previews; never the last one, whose picture follows at once.

    >>> sorted(preview_steps(3, 8))
    [2, 4, 6]
    """
    steps = (round(number * total / (count + 1)) for number in range(1, count + 1))
    return frozenset(step for step in steps if 0 < step < total)


def encode_previews(shown: list[Pixels]) -> tuple[PreviewImage, ...]:
    """As JPEG of at most `LONGEST_SIDE`."""
    return tuple(_encoded(index, pixels) for index, pixels in enumerate(shown))


def _encoded(index: int, pixels: Pixels) -> PreviewImage:
    if max(pixels.shape) > LONGEST_SIDE:
        image = Image.fromarray(pixels)
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        pixels = np.asarray(image)
    height, width, _ = pixels.shape
    data = simplejpeg.encode_jpeg(pixels, _QUALITY, colorsubsampling="420")  # Pillow takes longer
    return PreviewImage(index=index, width=width, height=height, content_type="image/jpeg", data=data)
