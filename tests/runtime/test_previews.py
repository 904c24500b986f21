"""When previews are made, and what they are sent as."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from contracts.images import PreviewImage
from runtime.worker.images.engine import Pixels
from runtime.worker.images.previews import LONGEST_SIDE, encode_previews, preview_steps


@pytest.mark.parametrize(
    ("count", "total", "steps"),
    [(0, 8, set()), (1, 8, {4}), (3, 8, {2, 4, 6}), (3, 2, {1}), (3, 1, set()), (100, 4, {1, 2, 3})],
)
def test_previews_are_spread_over_the_steps_and_end_before_the_last(count: int, total: int, steps: set[int]) -> None:
    assert preview_steps(count, total) == steps


def ramp(height: int, width: int) -> Pixels:
    """Red grows downwards, blue to the right."""
    down, across = np.mgrid[0:height, 0:width]
    return np.stack([down * 255 / height, np.zeros_like(down), across * 255 / width], axis=-1).astype(np.uint8)


def opened(preview: PreviewImage) -> Image.Image:
    image = Image.open(io.BytesIO(preview.data))
    assert (image.format, preview.content_type) == ("JPEG", "image/jpeg")
    assert image.size == (preview.width, preview.height)
    return image.convert("RGB")


def test_a_preview_is_a_jpeg_of_what_was_shown() -> None:
    shown = ramp(48, 80)
    (preview,) = encode_previews([shown])
    assert np.abs(np.asarray(opened(preview), dtype=int) - shown).mean() < 3


def test_a_large_preview_is_sent_smaller_in_the_same_proportions() -> None:
    shown = ramp(2 * LONGEST_SIDE, LONGEST_SIDE)
    (preview,) = encode_previews([shown])
    assert (preview.width, preview.height) == (LONGEST_SIDE // 2, LONGEST_SIDE)
    red, _, blue = opened(preview).getpixel((LONGEST_SIDE // 4, LONGEST_SIDE // 2))
    assert red == pytest.approx(128, abs=6)
    assert blue == pytest.approx(128, abs=6)


def test_each_picture_of_a_job_has_a_preview_of_its_own() -> None:
    previews = encode_previews([ramp(8, 8), ramp(16, 8)])
    assert [(preview.index, preview.height) for preview in previews] == [(0, 8), (1, 16)]
