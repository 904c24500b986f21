"""The asking side of the bus: submit a job, look it up, follow it, cancel it, from any process and any replica.

An accepted job is always in one of two places: in the jobs stream until it has an outcome, in the outcomes stream
afterwards. Whoever ends a job stores the outcome first and removes the work second, so no moment is without either.
In a cluster it may be in the intake before (`runtime.messaging.intake`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

import msgspec

from contracts import codec
from contracts.errors import EaselError, ErrorCode, JobError
from contracts.events import BEGINNING, Enhanced, EventId, JobEvent, Progress, Queued, Released, Started, StoredEvent
from contracts.jobs import Job, JobOutcome, JobRecord, JobState
from runtime.messaging.cancel_signals import send_cancel
from runtime.messaging.connection import Bus, BusError, Stored
from runtime.messaging.intake import accepted_jobs, submit_job, withdraw_job
from runtime.messaging.job_events import (
    Ending,
    Follower,
    OverheardJobs,
    last_events,
    read_events,
    read_outcome,
    store_outcome,
)
from runtime.messaging.past_jobs import PastJobs, read_past_jobs
from runtime.messaging.queued_jobs import queued_stages, remove_job, waiting_jobs

_ASKED_AT_ONCE = 256
_NO_CONSUMER = 10014


class QueueDepth(msgspec.Struct, frozen=True):
    """Jobs of one pool."""

    waiting: int
    """Not yet taken by a worker."""
    running: int
    delivered: int = 0
    """How often one was handed to a worker, ever."""


class JobClient:
    """Everything that a gateway does with jobs. `author` names the gateway in what it publishes."""

    def __init__(self, bus: Bus, author: str) -> None:
        self._bus = bus
        self._author = author

    async def submit(self, job: Job) -> None:
        """Put a job into its pool's queue; it is durable on return. Repeating it makes no second job.

        Raises:
            EaselError: QUEUE_FULL when the bus holds as many jobs as it may, UNAVAILABLE.
        """
        await submit_job(self._bus, job)

    async def record(self, job_id: str) -> JobRecord | None:
        """The job now, or None when the bus does not know it (any more)."""
        outcome, job, events = await asyncio.gather(
            read_outcome(self._bus, job_id), self._queued(job_id), last_events(self._bus, [job_id])
        )
        if outcome is None and job is None:  # it may have ended between the two looks
            outcome = await read_outcome(self._bus, job_id)
        if outcome is not None:
            return _ended(outcome)
        return None if job is None else _unfinished(job, events.get(job_id))

    async def outcomes(self, job_ids: Sequence[str]) -> dict[str, JobOutcome]:
        """How those of the jobs that have ended did."""
        subjects, found = self._bus.subjects, list[Stored]()
        for first in range(0, len(job_ids), _ASKED_AT_ONCE):
            wanted = [subjects.stored_outcome(job_id) for job_id in job_ids[first : first + _ASKED_AT_ONCE]]
            found += await self._bus.read(subjects.outcomes_stream, multi_last=wanted)
        ended = (codec.decode(message.data, JobOutcome) for message in found)
        return {outcome.job.id: outcome for outcome in ended}

    async def records(self, limit: int = 100) -> list[JobRecord]:
        """The newest jobs of all owners, newest first."""
        subjects = self._bus.subjects
        info = await self._bus.api(f"STREAM.INFO.{subjects.outcomes_stream}")
        first = max(1, info["state"]["last_seq"] - limit + 1)
        ended, unfinished = await asyncio.gather(
            self._bus.read(subjects.outcomes_stream, seq=first, next_by_subj=subjects.stored_outcome("*")),
            self.unfinished(limit),
        )
        found = {record.job.id: record for record in unfinished}
        outcomes = [codec.decode(message.data, JobOutcome) for message in ended]
        found |= {outcome.job.id: _ended(outcome) for outcome in outcomes}
        return sorted(found.values(), key=lambda record: record.job.created_at, reverse=True)[:limit]

    async def past(self, before: int | None = None, limit: int = 100) -> PastJobs:
        """Jobs of all owners that ended, the newest first: those before a position, or the newest."""
        return await read_past_jobs(self._bus, before, limit)

    async def history(self, job_id: str) -> list[StoredEvent]:
        """All that is kept of what workers told of a job, in order; empty for an unknown one."""
        return await read_events(self._bus, job_id)

    async def unfinished(self, limit: int = 1000) -> list[JobRecord]:
        """The newest jobs of all owners that wait or run, in the order in which they were accepted."""
        accepted = await accepted_jobs(self._bus)  # before the queues, to which they go from here
        waiting = await waiting_jobs(self._bus)
        elsewhere = {job.id for job in waiting} | set(await self.outcomes([job.id for job in accepted]))
        jobs = [*waiting, *(job for job in accepted if job.id not in elsewhere)][-limit:]
        events = await last_events(self._bus, [job.id for job in jobs])
        return [_unfinished(job, events.get(job.id)) for job in jobs]

    @contextlib.asynccontextmanager
    async def overhearing(self) -> AsyncIterator[OverheardJobs]:
        """Listen to all jobs at once while the block runs."""
        heard = OverheardJobs()
        async with self._bus.listening(self._bus.subjects.live("*", "*"), heard.receive):
            yield heard

    @contextlib.asynccontextmanager
    async def follow(
        self, job_id: str, after: EventId | None = None, *, fresh: bool = False
    ) -> AsyncIterator[AsyncIterator[JobEvent]]:
        """Listen to a job from the moment the block is entered; the iterator ends after `Finished`.

        `fresh` says that the job is submitted inside the block, so there is nothing to look up. Without it and without
        `after`, the first event is `Queued`.

        Raises:
            EaselError: NOT_FOUND for an unknown job.
        """
        async with Follower.listening(self._bus, job_id, after or BEGINNING) as follower:
            if fresh:
                yield follower.events(stored=False)
                return
            record = await self.record(job_id)
            if record is None:
                raise EaselError(ErrorCode.NOT_FOUND, f"there is no job {job_id}; ended jobs are kept for a while only")
            yield _from_beginning(record.job, follower) if after is None else follower.events()

    @contextlib.asynccontextmanager
    async def ending(self, job_id: str, *, fresh: bool = False) -> AsyncIterator[Callable[[], Awaitable[JobOutcome]]]:
        """Listen for a job's outcome alone from the moment the block is entered; what is yielded waits for it.

        `fresh` as for `follow`.
        """
        async with Ending.listening(self._bus, job_id) as ending:
            yield partial(ending.outcome, stored=not fresh)

    async def cancel(self, job_id: str) -> JobRecord | None:
        """End a job that has not ended: a waiting one never starts, a running one stops within a step.

        Returns:
            The job afterwards: cancelled, or as it ended before; None when it is unknown.
        """
        record = await self.record(job_id)
        if record is None or record.state.is_terminal:
            return record
        outcome = JobOutcome(
            job=record.job,
            state=JobState.CANCELLED,
            finished_at=time.time(),
            attempt=record.attempt,
            started_at=record.started_at,
            worker=record.worker,
            error=JobError(code=ErrorCode.CANCELLED, message="cancelled on request"),
        )
        if not await store_outcome(self._bus, self._author, outcome):
            return await self.record(job_id)
        for job in await accepted_jobs(self._bus, job_id):
            await withdraw_job(self._bus, job)
        for job in await queued_stages(self._bus, job_id):
            await remove_job(self._bus, job)
            await send_cancel(self._bus, job.pool, job_id)
        return _ended(outcome)

    async def depth(self, pool: str) -> QueueDepth:
        """How many jobs of a pool wait and run.

        None of either where the pool is not declared yet: a gateway is about to, for a device that has just come.

        Raises:
            EaselError: UNAVAILABLE.
        """
        subjects = self._bus.subjects
        try:
            info = await self._bus.api(f"CONSUMER.INFO.{subjects.jobs_stream}.{subjects.consumer(pool)}")
        except BusError as fault:
            if fault.code != _NO_CONSUMER:
                raise EaselError(ErrorCode.UNAVAILABLE, f"the bus does not tell of the pool {pool!r}") from fault
            return QueueDepth(waiting=0, running=0)
        return QueueDepth(
            waiting=info["num_pending"],
            running=info["num_ack_pending"],
            delivered=info["delivered"]["consumer_seq"],
        )

    async def _queued(self, job_id: str) -> Job | None:
        accepted = await accepted_jobs(self._bus, job_id)  # before its queue, to which it goes from here
        stages = [*accepted, *await queued_stages(self._bus, job_id)]
        return max(stages, key=lambda job: job.stage, default=None)


async def _from_beginning(job: Job, follower: Follower) -> AsyncIterator[JobEvent]:
    yield Queued(at=job.created_at)
    async for event in follower.events():
        yield event


def _ended(outcome: JobOutcome) -> JobRecord:
    return JobRecord(
        job=outcome.job,
        state=outcome.state,
        attempt=outcome.attempt,
        worker=outcome.worker,
        started_at=outcome.started_at,
        outcome=outcome,
    )


def _unfinished(job: Job, event: StoredEvent | None) -> JobRecord:
    if event is None or event.id.attempt <= job.attempts_before:  # nothing yet where it is now
        return JobRecord(job=job, state=JobState.QUEUED, attempt=event.id.attempt if event else 0)
    match event:
        case Released() | Enhanced():
            return JobRecord(job=job, state=JobState.QUEUED, attempt=event.id.attempt)
        case Started(id=position, worker=worker, at=at):
            return JobRecord(job=job, state=JobState.RUNNING, attempt=position.attempt, worker=worker, started_at=at)
        case Progress() as progress:
            return JobRecord(
                job=job,
                state=JobState.RUNNING,
                attempt=progress.id.attempt,
                worker=progress.worker,
                started_at=progress.started_at,
                step=progress.step,
                total_steps=progress.total_steps,
            )
