"""Server-sent events (WHATWG HTML, section 9.2) as every client of ours survives them.

A keep-alive is an event of its own: a comment after an `id:` line makes OpenAI's Python parser see an empty event.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import structlog

from contracts.errors import EaselError
from runtime.messaging.connection import BusError

log = structlog.get_logger()

KEEP_ALIVE_S = 15.0
_KEEP_ALIVE = b"event: keepalive\ndata: {}\n\n"
COMMENT = b": keep-alive\n\n"
"""A keep-alive for streams without `id:` lines whose clients take every event for one of theirs."""
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""No cache may keep a stream, and nginx must not collect it."""


def server_sent_event(name: str, data: bytes, event_id: str) -> bytes:
    """One event; `data` is one line of JSON."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (event_id.encode(), name.encode(), data)


async def with_keep_alives(
    events: AsyncIterator[bytes],
    stop: asyncio.Event,
    interval_s: float = KEEP_ALIVE_S,
    keep_alive: bytes = _KEEP_ALIVE,
) -> AsyncGenerator[bytes, None]:
    """`events`, and a keep-alive whenever there was none for `interval_s`.

    `stop` and any fault end the stream without a last event, so that the client comes back, perhaps to another
    gateway, with the id of the last one it saw.
    """
    stopping = asyncio.ensure_future(stop.wait())
    upcoming = None
    try:
        while True:
            upcoming = upcoming or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait({upcoming, stopping}, timeout=interval_s, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                yield keep_alive
                continue
            if upcoming not in done:
                return
            try:
                event = upcoming.result()
            except StopAsyncIteration:
                return
            upcoming = None
            yield event
    except (EaselError, BusError) as fault:
        log.warning("an event stream broke off", fault=str(fault))
    finally:
        waits = [wait for wait in (upcoming, stopping) if wait is not None]
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
