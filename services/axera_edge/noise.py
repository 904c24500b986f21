"""Normal noise as torch's CPU generator draws it, without torch: one seed means one picture on every machine.

torch fills a float32 tensor of at least 16 numbers by Box-Muller over blocks of 16 uniform ones, each the low 24 bits
of a word of MT19937 (ATen/native/cpu/DistributionTemplates.h, `normal_fill`). The functions are libm's in single
precision: NumPy's own differ from them in the last digit. On an Arm CPU the result equals torch's byte for byte; on x86
torch uses approximations of its own, at most 2e-6 away.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

BLOCK = 16
_HALF = BLOCK // 2
_MANTISSA = (1 << 24) - 1


class TorchNoise:
    """The stream of one seed. Successive calls continue it, as successive `torch.randn` with one generator do."""

    def __init__(self, seed: int) -> None:
        """`seed`: 0 … 2**32 - 1."""
        self._words = np.random.RandomState(seed)

    def normal(self, shape: tuple[int, ...]) -> Array:
        """float32 of `shape`.

        Raises:
            ValueError: fewer than 16 numbers, which torch draws in another way.
        """
        count = math.prod(shape)
        if count < BLOCK:
            raise ValueError(f"{shape} has {count} numbers; the recipe holds from {BLOCK} on")
        whole = count - count % BLOCK
        uniform = self._uniform(count)
        drawn = np.empty(count, np.float32)
        drawn[:whole] = _box_muller(uniform[:whole])
        if whole < count:  # torch draws the last block anew rather than leave a part of one
            drawn[-BLOCK:] = _box_muller(self._uniform(BLOCK))
        return drawn.reshape(shape)

    def _uniform(self, count: int) -> Array:
        words = np.frombuffer(self._words.bytes(4 * count), dtype="<u4")
        return (words & _MANTISSA).astype(np.float32) * np.float32(2.0**-24)


def _box_muller(uniform: Array) -> Array:
    blocks = uniform.reshape(-1, BLOCK)
    radius = np.sqrt(np.float32(-2) * _logf(np.float32(1) - blocks[:, :_HALF]))
    angle = (2 * math.pi * blocks[:, _HALF:].astype(np.float64)).astype(np.float32)
    return np.concatenate([radius * _cosf(angle), radius * _sinf(angle)], axis=1).reshape(-1)


def _libm(name: str) -> Callable[[Array], Array]:
    function = getattr(ctypes.CDLL(None), name)
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    return lambda numbers: np.fromiter(map(function, numbers.ravel().tolist()), np.float32).reshape(numbers.shape)


_logf, _cosf, _sinf = _libm("logf"), _libm("cosf"), _libm("sinf")
