"""Pictures of unfinished work: when to make them, and how they travel."""

from __future__ import annotations

import io

from PIL import Image

from contracts.images import GenerateImage, PreviewImage
from runtime.worker.handler import OnStep
from runtime.worker.images.engine import OnImageStep, PreviewSource

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


def encode_previews(images: list[Image.Image]) -> tuple[PreviewImage, ...]:
    """As JPEG of at most `LONGEST_SIDE`."""
    return tuple(_encoded(index, image) for index, image in enumerate(images))


def _encoded(index: int, image: Image.Image) -> PreviewImage:
    if max(image.size) > LONGEST_SIDE:
        image = image.copy()
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY)
    return PreviewImage(
        index=index, width=image.width, height=image.height, content_type="image/jpeg", data=out.getvalue()
    )
