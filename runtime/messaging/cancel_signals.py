"""The signal that a job was ended while a worker runs it.

Not stored: a worker that misses it sees the outcome instead.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from nats.aio.msg import Msg

from runtime.messaging.connection import Bus


async def send_cancel(bus: Bus, pool: str, job_id: str) -> None:
    """Tell whichever worker of the pool runs the job."""
    await bus.publish(bus.subjects.cancel(pool, job_id), b"")


@contextlib.asynccontextmanager
async def cancel_signals(bus: Bus, pool: str, receive: Callable[[str], None]) -> AsyncIterator[None]:
    """Call `receive(job_id)` for each cancelled job of a pool while the block runs."""

    async def on_message(message: Msg) -> None:
        receive(message.subject.rsplit(".", 1)[1])

    async with bus.listening(bus.subjects.cancel(pool, "*"), on_message):
        yield
