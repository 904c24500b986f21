"""Server-sent events of a model that is being loaded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import msgspec

from contracts.errors import EaselError
from gateway.api.models.schemas import ModelReply, Stage
from runtime.messaging.preparation import OnStage


async def stages(model: str, load: Callable[[OnStage], Awaitable[str]]) -> AsyncGenerator[bytes, None]:
    """A `stage` for each new one, then `loaded` or `error`. Loading goes on when nobody listens any more."""
    told = asyncio.Queue[str | None]()
    loading = asyncio.ensure_future(load(told.put_nowait))
    loading.add_done_callback(lambda _: told.put_nowait(None))
    last = ""
    while (stage := await told.get()) is not None:
        if stage != last:
            yield _event("stage", Stage(stage=stage))
        last = stage
    try:
        yield _event("loaded", ModelReply(model=model, workers=(loading.result(),)))
    except EaselError as fault:
        yield _event("error", fault.as_job_error())


def _event(name: str, data: msgspec.Struct) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))
