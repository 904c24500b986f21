"""The intake in a test's own hands: who leads, who moves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from contracts.errors import EaselError
from runtime.messaging.connection import Bus
from runtime.messaging.intake import IntakeMover
from runtime.messaging.leaders import LeaderKeeper
from tests.support.eventually import eventually


@contextlib.asynccontextmanager
async def moving(bus: Bus) -> AsyncIterator[None]:
    """Jobs leave the intake while the block runs, as a gateway has them do."""
    stop = asyncio.Event()
    task = asyncio.create_task(IntakeMover(bus).run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def leader(bus: Bus, stream: str, kind: str = "STREAM") -> str:
    """The server that leads a stream, or a consumer; empty while one takes over from another."""
    with contextlib.suppress(EaselError):
        info = await bus.api(f"{kind}.INFO.{stream}", timeout_s=1)
        name: str = info["cluster"].get("leader", "")
        return name
    return ""


async def led_apart(bus: Bus) -> None:
    """Return when the server that leads the jobs leads neither the intake nor the accounts."""
    subjects, keeper = bus.subjects, LeaderKeeper(bus)

    async def look() -> bool:
        with contextlib.suppress(EaselError):
            await keeper.look()
        streams = (subjects.jobs_stream, subjects.intake_stream, subjects.callers_stream)
        jobs, *others = [await leader(bus, stream) for stream in streams]
        return "" not in (jobs, *others) and jobs not in others

    await eventually(look, 60)
