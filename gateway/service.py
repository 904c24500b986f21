"""All that the dialects can do: submit, wait, look up, follow, cancel; models and workers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, NamedTuple, TypeVar, cast

import structlog

from contracts.errors import EaselError, ErrorCode
from contracts.events import EventId, Finished, JobEvent, StoredEvent
from contracts.images import THUMBNAIL_TYPE, ImageRef, ModelInfo
from contracts.jobs import Job, JobOutcome, JobRecord, JobState, is_job_id
from contracts.workers import WorkerPresence
from gateway.access import Access
from gateway.admission import CLUSTER_LAG_S, LAG_S, Admission
from gateway.lifespan import BusLink
from gateway.loading import Loading
from gateway.metrics import note_operation
from gateway.once import EVERY_TIME, RETURN_S, Once
from gateway.prompting import Prompting
from gateway.quota import Quota
from gateway.resolve import Wanted
from gateway.routing import offered_models
from gateway.settings import GatewaySettings
from gateway.submission import Owner, Submission, Submitted
from gateway.waiting import Followers, outcome_unless_gone, still_running, within
from runtime.messaging.caller_store import Note
from runtime.messaging.connection import BusError
from runtime.messaging.image_store import OverheardImages
from runtime.messaging.job_client import JobClient, QueueDepth
from runtime.process.safety import EVERY_PROMPT, PromptBlocklist

log = structlog.get_logger()

T = TypeVar("T")

LISTED_JOBS = 100
_SEARCHED_JOBS = 1000
"""Newest jobs of all owners that a list for one of them is made from."""


class Picture(NamedTuple):
    """A finished picture with its bytes."""

    ref: ImageRef
    data: bytes


class Drawn(NamedTuple):
    """A job that succeeded."""

    outcome: JobOutcome
    pictures: tuple[Picture, ...]
    warnings: tuple[str, ...]


Watched = AsyncGenerator[JobEvent | Drawn, None]
"""What `Service.watch` follows."""


class _Begun(NamedTuple, Generic[T]):
    job: Job
    warnings: tuple[str, ...]
    listening: T
    """To the job, as was asked for."""
    heard: OverheardImages


class Service:
    """One for each gateway process.

    Raises:
        KeysFileError: the keys file cannot be read.
    """

    def __init__(self, link: BusLink, settings: GatewaySettings, blocklist: PromptBlocklist = EVERY_PROMPT) -> None:
        self._link = link
        self.settings = settings
        self._admission = Admission(settings.max_queue_size, self._depth, CLUSTER_LAG_S if link.clustered else LAG_S)
        self.access = Access(settings)
        self.quota = Quota(link, self.access.keyring)
        self._submission = Submission(link, settings, self._admission, blocklist, self.quota)
        self.prompting = Prompting(link, settings, blocklist)
        self.loading = Loading(link, settings)
        self._followers = Followers()
        self._leaving: set[asyncio.Task[None]] = set()

    def workers(self) -> tuple[WorkerPresence, ...]:
        """Every live worker, by id."""
        return self._link.backend.roster.workers()

    def models(self) -> dict[str, tuple[ModelInfo, WorkerPresence]]:
        """Every model that a live worker offers, by id, with the first worker that offers it."""
        return offered_models(self.workers())

    async def submit(self, wanted: Wanted, owner: Owner, once: Once = EVERY_TIME) -> Submitted:
        """Queue a job, or find the one that this request began before; it is durable on return.

        Raises:
            EaselError: as `choose_model`, `resolve`, `Admission.place` and `check_same`.
        """
        wanted = await self._submission.pictures.fetched(wanted)
        found = await self._submission.begun_before(wanted, owner, once)
        if found is not None:
            return Submitted(found, ())
        submitted = self._submission.make_job(wanted, owner, once)
        async with self._submission.place(submitted.job):
            return await self._submission.queue(submitted, wanted)

    async def retry(self, job_id: str, owner: Owner, once: Once = EVERY_TIME) -> Submitted:
        """Queue a job like another, with a new seed.

        Raises:
            EaselError: NOT_FOUND; as `submit`.
        """
        made = self._submission.make_again((await self.job(job_id, owner)).job, owner, once)
        async with self._submission.place(made.job):
            return await self._submission.queue_again(made)

    async def draw(
        self, wanted: Wanted, owner: Owner, gone: Callable[[], Awaitable[None]], once: Once = EVERY_TIME
    ) -> Drawn:
        """Queue a job and wait for its pictures. When `gone` returns first, the job is cancelled unless others follow.

        Raises:
            EaselError: as `submit`; as the job failed; DEADLINE_EXCEEDED, and the job goes on.
        """
        async with self._begun(wanted, owner, once, JobClient.ending) as (job, warnings, ending, heard):
            with self._followers.following(job.id):
                outcome = await self._outcome(job, ending, gone)
            if outcome is None:
                self._left(job.id, once)
                raise EaselError(ErrorCode.CANCELLED, "the client closed the connection")
            return await self._drawn(outcome, heard, warnings)

    async def watch(self, wanted: Wanted, owner: Owner, once: Once = EVERY_TIME) -> tuple[Submitted, Watched]:
        """As `draw`, with all that happens on the way: the job's events, last `Drawn`.

        Closing the generator before it has ended means that the client is gone. It raises what `draw` does once the
        job is queued.

        Raises:
            EaselError: as `submit`.
        """
        watched = self._watched(wanted, owner, once)
        return cast("Submitted", await anext(watched)), cast("Watched", watched)

    async def _watched(
        self, wanted: Wanted, owner: Owner, once: Once
    ) -> AsyncGenerator[Submitted | JobEvent | Drawn, None]:
        """`Submitted` first: a generator that has begun is closed when it is forgotten."""
        async with self._begun(wanted, owner, once, JobClient.follow) as (job, warnings, events, heard):
            yield Submitted(job, warnings)
            try:
                with self._followers.following(job.id):
                    async for event in within(events, self.settings.wait_timeout_s, job):
                        yield (
                            event
                            if not isinstance(event, Finished)
                            else await self._drawn(event.outcome, heard, warnings)
                        )
            except (GeneratorExit, asyncio.CancelledError):
                self._left(job.id, once)
                raise

    async def job(self, job_id: str, owner: Owner) -> JobRecord:
        """A job that is the caller's to see.

        Raises:
            EaselError: NOT_FOUND, for another's job too; UNAVAILABLE.
        """
        record = await self._link.backend.jobs.record(job_id) if is_job_id(job_id) else None
        if record is None or not _may_see(record, owner):
            raise _no_job(job_id)
        return record

    async def jobs(self, owner: Owner) -> list[JobRecord]:
        """The caller's jobs, newest first."""
        searched = LISTED_JOBS if owner is None else _SEARCHED_JOBS
        records = await self._link.backend.jobs.records(searched)
        return [record for record in records if _may_see(record, owner)][:LISTED_JOBS]

    async def unfinished(self, owner: Owner, dialect: str) -> list[JobRecord]:
        """The caller's jobs of one dialect that wait or run, the oldest first."""
        records = await self._link.backend.jobs.unfinished()
        return [record for record in records if _may_see(record, owner) and record.job.dialect == dialect]

    async def history(self, job_id: str) -> list[StoredEvent]:
        """What workers told of a job so far; whether the caller may see it is checked by `job`.

        Raises:
            EaselError: UNAVAILABLE.
        """
        return await self._link.backend.jobs.history(job_id)

    async def recall(self, owner: Owner, topic: str) -> Note:
        """What a dialect remembers for the caller, on whichever gateway it was said.

        Raises:
            EaselError: UNAVAILABLE.
        """
        return await self._link.backend.callers.read(owner, topic)

    async def remember(self, owner: Owner, topic: str, data: bytes, *, over: int | None = None) -> bool:
        """Replace what `recall` gives; False when it is no longer of revision `over`.

        Raises:
            EaselError: UNAVAILABLE.
        """
        return await self._link.backend.callers.write(owner, topic, data, over=over)

    async def cancel(self, job_id: str, owner: Owner) -> JobRecord:
        """End a job that has not ended; the job afterwards.

        Raises:
            EaselError: NOT_FOUND, UNAVAILABLE.
        """
        await self.job(job_id, owner)
        record = await self._link.backend.jobs.cancel(job_id)
        if record is None:
            raise _no_job(job_id)
        return record

    async def picture(self, outcome: JobOutcome, index: int) -> Picture:
        """One picture of a job that succeeded.

        Raises:
            EaselError: NOT_FOUND, for a picture no longer kept too; UNAVAILABLE.
        """
        ref = _ref(outcome, index)
        return Picture(ref, await self._link.backend.images.get(ref))

    async def thumbnail(self, outcome: JobOutcome, index: int) -> tuple[str, bytes]:
        """Content type and bytes of a small form of one picture: of itself, where it is small or has no other.

        Raises:
            EaselError: as `picture`.
        """
        ref, images = _ref(outcome, index), self._link.backend.images
        small = await images.get_thumbnail(ref) if ref.has_thumbnail else None
        return (ref.content_type, await images.get(ref)) if small is None else (THUMBNAIL_TYPE, small)

    @contextlib.asynccontextmanager
    async def follow(self, job_id: str, after: EventId | None) -> AsyncIterator[AsyncIterator[JobEvent]]:
        """A job's events from the one after `after`; whether the caller may see it is checked by `job`.

        Raises:
            EaselError: NOT_FOUND, UNAVAILABLE.
        """
        with self._followers.following(job_id):
            async with self._link.backend.jobs.follow(job_id, after) as events:
                yield events

    async def depths(self) -> dict[str, QueueDepth]:
        """Jobs waiting and running in each pool that a live worker serves."""
        pools = sorted({worker.pool for worker in self.workers()})
        return dict(zip(pools, await asyncio.gather(*map(self._depth, pools)), strict=True))

    @contextlib.asynccontextmanager
    async def _begun(
        self, wanted: Wanted, owner: Owner, once: Once, listen: Callable[..., AbstractAsyncContextManager[T]]
    ) -> AsyncIterator[_Begun[T]]:
        """A job that is queued now, or was before, listened to by `listen`, with its pictures as they come."""
        backend, submission = self._link.backend, self._submission
        wanted = await submission.pictures.fetched(wanted)
        found = await submission.begun_before(wanted, owner, once)
        async with contextlib.AsyncExitStack() as stack:
            if found is not None:
                heard = await stack.enter_async_context(backend.images.overhearing(found.id))
                yield _Begun(found, (), await stack.enter_async_context(listen(backend.jobs, found.id)), heard)
                return
            made = submission.make_job(wanted, owner, once)
            async with submission.place(made.job):
                heard = await stack.enter_async_context(backend.images.overhearing(made.job.id))
                listening = await stack.enter_async_context(listen(backend.jobs, made.job.id, fresh=True))
                job, warnings = await submission.queue(made, wanted)
            yield _Begun(job, warnings, listening, heard)

    async def _drawn(self, outcome: JobOutcome, heard: OverheardImages, warnings: tuple[str, ...]) -> Drawn:
        self._learn(outcome)
        if outcome.state is not JobState.SUCCEEDED:
            raise job_fault(outcome)
        data = await heard.get_all(outcome.images)
        return Drawn(outcome, tuple(map(Picture, outcome.images, data)), warnings)

    def _left(self, job_id: str, once: Once) -> None:
        """Cancel a job whose client went away, unless another follows it or the client comes back."""
        leaving = asyncio.get_running_loop().create_task(self._cancel_unless_followed(job_id, once))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _cancel_unless_followed(self, job_id: str, once: Once) -> None:
        if once.may_return:
            await asyncio.sleep(RETURN_S)
        if self._followers.any(job_id):
            return
        try:
            await self._link.backend.jobs.cancel(job_id)
        except (EaselError, BusError) as fault:
            log.warning("a job whose client went away goes on", job_id=job_id, fault=str(fault))
        else:
            log.info("job cancelled: its client went away", job_id=job_id)

    async def _depth(self, pool: str) -> QueueDepth:
        return await self._link.backend.jobs.depth(pool)

    async def _outcome(
        self, job: Job, ending: Callable[[], Awaitable[JobOutcome]], gone: Callable[[], Awaitable[None]]
    ) -> JobOutcome | None:
        """How the job ended; None when its client went away."""
        limit_s = self.settings.wait_timeout_s
        try:
            return await outcome_unless_gone(ending, gone, limit_s)
        except TimeoutError as fault:
            raise still_running(job, limit_s) from fault

    def _learn(self, outcome: JobOutcome) -> None:
        note_operation(outcome)
        if outcome.started_at:
            self._admission.note_duration(outcome.job.pool, outcome.finished_at - outcome.started_at)


def job_fault(outcome: JobOutcome) -> EaselError:
    """Why an ended job has no pictures."""
    if outcome.error is None:
        return EaselError(ErrorCode.INTERNAL, f"job {outcome.job.id} {outcome.state} without a reason")
    return EaselError(outcome.error.code, outcome.error.message, param=outcome.error.param)


def _ref(outcome: JobOutcome, index: int) -> ImageRef:
    ref = next((ref for ref in outcome.images if ref.index == index), None)
    if ref is None:
        message = f"job {outcome.job.id} has {len(outcome.images)} pictures and none with index {index}"
        raise EaselError(ErrorCode.NOT_FOUND, message)
    return ref


def _may_see(record: JobRecord, owner: Owner) -> bool:
    return owner is None or record.job.owner == owner


def _no_job(job_id: str) -> EaselError:
    return EaselError(ErrorCode.NOT_FOUND, f"there is no job {job_id[:64]!r}; ended jobs are kept for a while only")
