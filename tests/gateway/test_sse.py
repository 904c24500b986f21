"""Event streams: keep-alives that no parser stumbles over, and an end when there must be one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from contracts.errors import EaselError, ErrorCode
from gateway.sse import server_sent_event, with_keep_alives


async def collect(
    events: AsyncIterator[bytes], stop: asyncio.Event | None = None, interval_s: float = 60
) -> list[bytes]:
    return [chunk async for chunk in with_keep_alives(events, stop or asyncio.Event(), interval_s)]


def test_an_event_has_its_id_name_and_data_each_on_a_line() -> None:
    assert server_sent_event("progress", b'{"step":1}', "1.2") == b'id: 1.2\nevent: progress\ndata: {"step":1}\n\n'


async def test_silence_is_filled_with_events_not_comments() -> None:
    """No id either: the last one a client saw stays the one it resumes from."""
    go = asyncio.Event()

    async def events() -> AsyncIterator[bytes]:
        yield b"one"
        await go.wait()
        yield b"two"

    seen = []
    async for chunk in with_keep_alives(events(), asyncio.Event(), 0.01):
        seen.append(chunk)
        if len(seen) == 3:
            go.set()
    assert seen[0] == b"one"
    assert set(seen[1:-1]) == {b"event: keepalive\ndata: {}\n\n"}
    assert seen[-1] == b"two"


async def test_the_end_of_the_process_ends_the_stream_and_its_source() -> None:
    """The client resumes elsewhere."""
    stop, closed = asyncio.Event(), []

    async def events() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            stop.set()
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    assert await collect(events(), stop) == [b"one"]
    assert closed == [True]


async def test_a_bus_that_goes_away_ends_the_stream_without_a_last_event() -> None:
    """So that nobody takes it for the end of the job."""

    async def events() -> AsyncIterator[bytes]:
        yield b"one"
        raise EaselError(ErrorCode.UNAVAILABLE, "away")

    assert await collect(events()) == [b"one"]


async def test_a_reader_that_leaves_closes_the_source() -> None:
    """Else its subscription would stay."""
    closed = []

    async def events() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    stream = with_keep_alives(events(), asyncio.Event(), 0.01)
    assert await anext(stream) == b"one"
    assert (await anext(stream)).startswith(b"event: keepalive")
    await stream.aclose()
    assert closed == [True]
