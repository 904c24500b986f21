"""The small language model that comes along, loaded once for a test module."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from services.enhancer.engines.factory import build_model
from services.enhancer.enhancer import Enhancer
from services.enhancer.settings import EnhancerSettings


@contextlib.asynccontextmanager
async def embedded_enhancer() -> AsyncIterator[Enhancer]:
    """An enhancer as `easel up` starts it: no server, phrases chosen."""
    model = build_model(EnhancerSettings(engine="openvino"))
    await model.start()
    try:
        yield Enhancer(model, rewrites=False, max_waiting=256, cache_size=0)
    finally:
        await model.close()
