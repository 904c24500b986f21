"""Step caches on torch. Each runs the calls of one request and keeps its state; others' calls run between them.

The denoiser is shared: what a cache changes of it, it puts back before its call returns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts.step_cache import parse
from services.diffusion.engines.batching.device_thread import RunCalls
from services.diffusion.engines.step_caches.deep_cache import DeepCache
from services.diffusion.engines.step_caches.first_block_cache import FirstBlockCache

CACHES: dict[str, Callable[[Any, float], RunCalls]] = {
    "deepcache": DeepCache,
    "first_block_cache": FirstBlockCache,
}


def step_cache(denoiser: Any, text: str) -> RunCalls:
    """Runs the calls of one request, one by one, with the cache `name:setting`.

    Raises:
        EaselError: INVALID_REQUEST, no such cache.
    """
    name, setting = parse(text)
    return CACHES[name](denoiser, setting)
