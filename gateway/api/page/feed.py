"""All that one page shows, as one stream: first everything, then each change.

Live events make it quick, and a look at the queue every second makes it right: what was missed, what another tab or
another gateway submitted, and each waiting job's place.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from contracts.events import Finished, JobEvent, Progress
from contracts.images import GenerateImage
from contracts.jobs import Job, JobRecord, JobState
from gateway.api.page import convert, schemas
from gateway.lifespan import Backend, BusLink
from gateway.sse import server_sent_event
from runtime.messaging.job_client import JobClient
from runtime.messaging.job_events import OverheardJobs

LOOK_S = 1.0
"""Between two looks at the queue and the workers."""
FIRST_JOBS = 60
_WINDOW = 256
"""Jobs of all owners that are read at once."""
_WINDOWS = 8
"""Read for one answer: a caller with few among many gets what was found, and asks again from there."""


class Feed:
    """One page's stream."""

    def __init__(
        self,
        link: BusLink,
        owner: str | None,
        gateway: schemas.PageGateway,
        still_allowed: Callable[[], Awaitable[None]],
    ) -> None:
        self._still_allowed = still_allowed
        """Raises EaselError when the page's key has expired or was revoked."""
        self._backend: Backend = link.backend
        self._owner = owner
        self._gateway = gateway
        self._told: dict[str, schemas.PageJob] = {}
        """Unfinished jobs as the page knows them, without their steps."""
        self._others: set[str] = set()
        """Unfinished jobs that are not for this page to see."""
        self._workers: list[schemas.PageWorker] = []
        self._numbers = itertools.count(1)

    async def events(self) -> AsyncIterator[bytes]:
        """What goes over the wire, without end.

        Raises:
            EaselError: UNAVAILABLE, or what became of the key; the page comes back and is told.
        """
        async with self._backend.jobs.overhearing() as heard:
            hello = await self._hello()
            yield self._event("hello", hello)
            for job in hello.jobs:
                if (shown := await self._newest_preview(job)) is not None:
                    yield self._event("progress", shown)
            due = time.monotonic() + LOOK_S
            while True:
                if (happened := await _next(heard, due - time.monotonic())) is not None:
                    async for name, body in self._live(*happened):
                        yield self._event(name, body)
                if time.monotonic() >= due:
                    await self._still_allowed()
                    for name, body in await self._look():
                        yield self._event(name, body)
                    due = time.monotonic() + LOOK_S

    async def _hello(self) -> schemas.PageHello:
        unfinished, page = await asyncio.gather(
            self._backend.jobs.unfinished(), page_of_jobs(self._backend.jobs, self._owner, FIRST_JOBS)
        )
        self._workers = self._live_workers()
        return schemas.PageHello(
            at=time.time(),
            gateway=self._gateway,
            workers=self._workers,
            jobs=self._waiting_and_running(unfinished, {job.id for job in page.jobs}) + page.jobs,
            older=page.older,
        )

    def _waiting_and_running(self, unfinished: list[JobRecord], ended: set[str]) -> list[schemas.PageJob]:
        places = convert.places(unfinished)
        mine = [record for record in reversed(unfinished) if may_show(record.job, self._owner)]
        return [convert.job(record, places[record.job.id]) for record in mine if record.job.id not in ended]

    async def _newest_preview(self, job: schemas.PageJob) -> schemas.PageProgress | None:
        """How a running job looked last: the next step may be long in coming."""
        if job.state is not JobState.RUNNING:
            return None
        events = await self._backend.jobs.history(job.id)
        shown = [event for event in events if isinstance(event, Progress) and event.previews]
        return convert.progress(job.id, shown[-1]) if shown else None

    async def _live(self, job_id: str, happened: JobEvent) -> AsyncIterator[tuple[str, Any]]:
        """What the page is told of one event."""
        if isinstance(happened, Finished):
            record = convert.ended(happened.outcome)
            self._told.pop(job_id, None)
            if may_show(record.job, self._owner):
                yield "job", convert.job(record)
            return
        if job_id in self._others:
            return
        if job_id not in self._told or not isinstance(happened, Progress):
            record_now = await self._backend.jobs.record(job_id)
            if record_now is None or not self._note(record_now):
                return
            yield "job", convert.job(record_now)
        if isinstance(happened, Progress):
            yield "progress", convert.progress(job_id, happened)

    def _note(self, record: JobRecord) -> bool:
        """Remember a job that was looked up; whether the page may see it."""
        if not may_show(record.job, self._owner):
            self._others.add(record.job.id)
            return False
        if not record.state.is_terminal:
            self._told[record.job.id] = _without_steps(convert.job(record))
        return True

    async def _look(self) -> list[tuple[str, Any]]:
        """Every change since the last look."""
        unfinished = await self._backend.jobs.unfinished()
        changes: list[tuple[str, Any]] = []
        places = convert.places(unfinished)
        for record in unfinished:
            if may_show(record.job, self._owner):
                job = convert.job(record, places[record.job.id])
                if self._told.get(job.id) != _without_steps(job):
                    changes.append(("job", job))
                    self._told[job.id] = _without_steps(job)
        for job_id in [job_id for job_id in self._told if job_id not in places]:
            changes.append(await self._left(job_id))
            del self._told[job_id]
        self._others &= places.keys()
        workers = self._live_workers()
        if workers != self._workers:
            self._workers = workers
            changes.append(("workers", workers))
        return changes

    async def _left(self, job_id: str) -> tuple[str, Any]:
        """A job that the queue holds no more: how it ended, or that nobody knows it."""
        record = await self._backend.jobs.record(job_id)
        return ("gone", {"id": job_id}) if record is None else ("job", convert.job(record))

    def _live_workers(self) -> list[schemas.PageWorker]:
        return [convert.worker(presence) for presence in self._backend.roster.workers()]

    def _event(self, name: str, body: Any) -> bytes:
        return server_sent_event(name, msgspec.json.encode(body), str(next(self._numbers)))


async def page_of_jobs(jobs: JobClient, owner: str | None, limit: int, before: int | None = None) -> schemas.PageJobs:
    """The owner's newest jobs that ended, or those before a position.

    Raises:
        EaselError: UNAVAILABLE.
    """
    found: list[schemas.PageJob] = []
    for _ in range(_WINDOWS):
        past = await jobs.past(before, _WINDOW)
        for job in past.jobs:
            if may_show(job.outcome.job, owner):
                found.append(convert.job(convert.ended(job.outcome)))
            if len(found) == limit:
                return schemas.PageJobs(jobs=found, older=job.position)
        if (before := past.older) is None:
            break
    return schemas.PageJobs(jobs=found, older=before)


def may_show(job: Job, owner: str | None) -> bool:
    """Whether it is the caller's, and about pictures."""
    return (owner is None or job.owner == owner) and any(isinstance(stage, GenerateImage) for stage in job.stages)


def _without_steps(job: schemas.PageJob) -> schemas.PageJob:
    """What a look compares: steps are told as they happen."""
    return msgspec.structs.replace(job, step=0, total_steps=0)


async def _next(heard: OverheardJobs, within_s: float) -> tuple[str, JobEvent] | None:
    try:
        async with asyncio.timeout(within_s):
            return await heard.next()
    except TimeoutError:
        return None
