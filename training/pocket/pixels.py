"""Pixel checks: the colour of the ground, and colour and place of simple shapes."""

from __future__ import annotations

import numpy as np

from .grounds import DEFAULT_GROUND
from .objects import COLOURS
from .scenes import Shape, Spec, centres

_PALETTE = {**COLOURS, "default": DEFAULT_GROUND}
_NAMES = tuple(_PALETTE)
_TABLE = np.array([_PALETTE[name] for name in _NAMES], np.float32)
#: tolerance on a shape's centre, in fractions of the frame; the least area that counts as a shape
_TOLERANCE, _LEAST_AREA = 0.13, 0.012


def nearest_colours(pixels: np.ndarray) -> np.ndarray:
    """Index of the nearest named colour of (..., 3) pixels."""
    return ((pixels[..., None, :].astype(np.float32) - _TABLE) ** 2).sum(-1).argmin(-1)


def ground_colour(picture: np.ndarray) -> str:
    """Name of the colour along the border of a picture (H, W, 3) uint8; "default" for the plain default ground."""
    edge = max(2, len(picture) // 32)
    border = np.concatenate(
        [
            picture[:edge].reshape(-1, 3),
            picture[-edge:].reshape(-1, 3),
            picture[:, :edge].reshape(-1, 3),
            picture[:, -edge:].reshape(-1, 3),
        ]
    )
    return _NAMES[nearest_colours(np.median(border, axis=0))]


def _centre_of(picture: np.ndarray, colour: str) -> tuple[float, float] | None:
    """Centroid (x, y) in fractions of the frame of the pixels of one colour, None when there are too few."""
    y, x = np.nonzero(nearest_colours(picture) == _NAMES.index(colour))
    if len(x) < _LEAST_AREA * picture.shape[0] * picture.shape[1]:
        return None
    return float(x.mean() / picture.shape[1]), float(y.mean() / picture.shape[0])


def shapes_right(picture: np.ndarray, spec: Spec) -> tuple[bool, bool]:
    """Whether every shape's colour is there, and whether every shape is where it was asked for."""
    if len({shape.colour for shape in spec.shapes}) < len(spec.shapes):
        spec = Spec(shapes=(Shape("any", spec.shapes[0].colour),))  # two of one colour: together they are centred
    found = [_centre_of(picture, shape.colour) for shape in spec.shapes]
    if None in found:
        return False, False
    distances = [max(abs(x - u), abs(y - v)) for (x, y), (u, v) in zip(found, centres(spec), strict=True)]
    return True, max(distances) < _TOLERANCE
