"""A large picture brought to a smaller size strip by strip, so that it is never in memory twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from PIL import Image

Box = tuple[float, float, float, float]
Convert = Callable[[Image.Image], Image.Image]
"""From a strip as it was decoded to one of the mode that is wanted."""

_ORDINARY = 1 << 20
"""Pixels up to which a picture is one strip."""
_STRIP = 1 << 18
_ORIENTATION = 0x0112
"""EXIF's tag."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its values."""
_MIRRORED_X, _MIRRORED_Y, _LYING = (2, 3, 7, 8), (3, 4, 6, 7), (5, 6, 7, 8)
"""Whose columns, or rows, as stored are counted from the other end; and whose columns are rows."""
_LANCZOS_SUPPORT = 3
"""Pixels of the result that a pixel's neighbourhood reaches to each side."""


class Upright:
    """A decoded picture, cut as if it had been turned as its EXIF says."""

    def __init__(self, image: Image.Image) -> None:
        self._image = image
        self._turn = image.getexif().get(_ORIENTATION, 1)
        self.size = image.size[::-1] if self._turn in _LYING else image.size

    def cut(self, box: tuple[int, int, int, int]) -> Image.Image:
        """`box` as whole pixels of the upright picture."""
        left, top, right, bottom = box
        columns, rows = ((top, bottom), (left, right)) if self._turn in _LYING else ((left, right), (top, bottom))
        if self._turn in _MIRRORED_X:
            columns = (self._image.width - columns[1], self._image.width - columns[0])
        if self._turn in _MIRRORED_Y:
            rows = (self._image.height - rows[1], self._image.height - rows[0])
        piece = self._image.crop((columns[0], rows[0], columns[1], rows[1]))
        return piece.transpose(_TURNS[self._turn]) if self._turn in _TURNS else piece

    def strips(self) -> Iterator[Image.Image]:
        """All of it, from the top."""
        width, height = self.size
        rows = height if width * height <= _ORDINARY else max(1, _STRIP // width)
        for top in range(0, height, rows):
            yield self.cut((0, top, width, min(height, top + rows)))


def resized(picture: Upright, size: tuple[int, int], box: Box, convert: Convert) -> Image.Image:
    """`box` of the picture, converted, at `size`: as `convert(picture).resize(size, LANCZOS, box)`.

    Ordinary pictures are the same to the bit. Others are where Pillow resizes strips in the order that it would take
    for the whole, columns or rows first; else some pixels differ by a level or two.
    """
    width, height = picture.size
    if width * height <= _ORDINARY:
        return convert(picture.cut((0, 0, width, height))).resize(size, Image.Resampling.LANCZOS, box)
    left, top, right, bottom = box
    across, down = (right - left) / size[0], (bottom - top) / size[1]
    first, last = _reached(left, right, across, width)
    high = math.ceil(_LANCZOS_SUPPORT * max(1.0, down)) + 1
    rows = max(1, int((_STRIP / (last - first) - 2 * high) / down))

    def part(row: int, count: int) -> Image.Image:
        upper, lower = top + row * down, top + (row + count) * down
        over, under = _reached(upper, lower, down, height)
        strip = convert(picture.cut((first, over, last, under)))
        of_strip = (left - first, upper - over, right - first, lower - over)
        return strip.resize((size[0], count), Image.Resampling.LANCZOS, of_strip)

    begun = part(0, min(rows, size[1]))
    out = Image.new(begun.mode, size)
    out.paste(begun)
    for row in range(rows, size[1], rows):
        out.paste(part(row, min(rows, size[1] - row)), (0, row))
    return out


def _reached(low: float, high: float, scale: float, whole: int) -> tuple[int, int]:
    """The whole pixels that make those from `low` to `high`."""
    reach = _LANCZOS_SUPPORT * max(1.0, scale) + 1
    return max(0, math.floor(low - reach)), min(whole, math.ceil(high + reach))
