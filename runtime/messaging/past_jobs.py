"""Jobs that ended, from the newest back to the oldest that the bus keeps, a page at a time."""

from __future__ import annotations

import msgspec

from contracts import codec
from contracts.jobs import JobOutcome
from runtime.messaging.connection import Bus


class PastJob(msgspec.Struct, frozen=True):
    """One job, and where it stands among the others."""

    position: int
    """Larger for a job that ended later."""
    outcome: JobOutcome


class PastJobs(msgspec.Struct, frozen=True):
    """Some jobs that follow each other, the newest first."""

    jobs: tuple[PastJob, ...]
    older: int | None
    """All that are older stand before this position; None: there are none."""


async def read_past_jobs(bus: Bus, before: int | None, limit: int) -> PastJobs:
    """Up to `limit` jobs of all owners that stand before a position; None: the newest.

    Raises:
        BusError, EaselError: the bus does not answer.
    """
    stream = bus.subjects.outcomes_stream
    state = (await bus.api(f"STREAM.INFO.{stream}"))["state"]
    end = state["last_seq"] + 1 if before is None else min(before, state["last_seq"] + 1)
    start = max(state["first_seq"], end - limit)
    if start >= end:
        return PastJobs((), None)
    stored = await bus.read(stream, seq=start, next_by_subj=bus.subjects.stored_outcome("*"), batch=end - start)
    jobs = [
        PastJob(message.sequence, codec.decode(message.data, JobOutcome))
        for message in reversed(stored)
        if message.sequence < end  # where some are missing, the read goes on beyond
    ]
    return PastJobs(tuple(jobs), start if start > state["first_seq"] else None)
