"""Clients that wait for a job: who else does, and what comes first, its end, the client's leaving or the limit."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from contracts.errors import EaselError, ErrorCode
from contracts.events import JobEvent
from contracts.jobs import Job, JobOutcome


class Followers:
    """How many clients of this gateway wait for each job or follow its events."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()

    @contextlib.contextmanager
    def following(self, job_id: str) -> Iterator[None]:
        """Count as one while the block runs."""
        self._count[job_id] += 1
        try:
            yield
        finally:
            self._count[job_id] -= 1
            if not self._count[job_id]:
                del self._count[job_id]

    def any(self, job_id: str) -> bool:
        """Whether one does."""
        return job_id in self._count


async def outcome_unless_gone(
    ending: Callable[[], Awaitable[JobOutcome]], gone: Callable[[], Awaitable[None]], limit_s: float
) -> JobOutcome | None:
    """What `ending` waits for; None when `gone` returned first.

    Raises:
        TimeoutError: neither happened within `limit_s`.
    """
    ended, leaving = asyncio.ensure_future(ending()), asyncio.ensure_future(gone())
    try:
        await asyncio.wait({ended, leaving}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            return ended.result()
        if leaving.done():
            return None
        raise TimeoutError
    finally:
        ended.cancel()
        leaving.cancel()


async def within(events: AsyncIterator[JobEvent], limit_s: float, job: Job) -> AsyncIterator[JobEvent]:
    """The events, as long as they all come within `limit_s`.

    Raises:
        EaselError: DEADLINE_EXCEEDED.
    """
    deadline = time.monotonic() + limit_s
    while True:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                event = await anext(events)
        except StopAsyncIteration:
            return
        except TimeoutError as fault:
            raise still_running(job, limit_s) from fault
        yield event


def still_running(job: Job, limit_s: float) -> EaselError:
    """What a client is told that has waited long enough."""
    message = f"job {job.id} has not ended within {limit_s:g} s; it goes on: GET /job/{job.id}"
    return EaselError(ErrorCode.DEADLINE_EXCEEDED, message)
