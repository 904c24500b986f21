"""Small work of torch's on the thread that asks for it: waking OpenMP's others takes longer than they would help."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from threadpoolctl import ThreadpoolController


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let OpenMP begin no others for the calling thread while the block runs; other threads' work is done as before."""
    pools = _openmp()
    before = [pool.get_num_threads() for pool in pools]
    for pool in pools:
        pool.set_num_threads(1)
    try:
        yield
    finally:
        for pool, count in zip(pools, before, strict=True):
            pool.set_num_threads(count)


@functools.cache
def _openmp() -> list[Any]:
    """Asked one by one: `ThreadpoolController.limit` takes half as long as a preview, to tell what it found."""
    found: list[Any] = ThreadpoolController().select(user_api="openmp").lib_controllers
    return found
