"""From what is wanted to a job that the bus holds: once, in the right pool, if there is room."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import NamedTuple

import msgspec
import structlog

from contracts.capability import check
from contracts.errors import EaselError, ErrorCode
from contracts.images import InputImage
from contracts.jobs import Job
from contracts.workers import WorkerPresence
from gateway.admission import Admission
from gateway.enhancement import drawn_again, with_enhancement
from gateway.lifespan import BusLink
from gateway.metrics import REJECTED
from gateway.once import Once, check_same, fingerprint, joinable
from gateway.quota import Quota
from gateway.resolve import Wanted, choose_model, random_seed
from gateway.routing import choose_pool, offered_models, refusals_of_mixed_pools, route
from gateway.settings import GatewaySettings
from gateway.web_pictures import WebPictures
from runtime.process import telemetry
from runtime.process.safety import PromptBlocklist
from runtime.process.waiting import PASSING_S

log = structlog.get_logger()

Owner = str | None
"""Id of the caller's key; None where no keys are in use and everyone sees every job."""
_SEARCHED_JOBS = 200
"""Newest jobs of all owners that the one a retry belongs to is among."""


class Submitted(NamedTuple):
    """A job that the bus holds, and what its client should know."""

    job: Job
    warnings: tuple[str, ...]


class Submission:
    """The way in; one for each `Service`."""

    def __init__(
        self, link: BusLink, settings: GatewaySettings, admission: Admission, blocklist: PromptBlocklist, quota: Quota
    ) -> None:
        self._link = link
        self._settings = settings
        self._admission = admission
        self.pictures = WebPictures(settings.image_url_hosts, settings.max_upload_bytes, settings.image_url_timeout_s)
        self._blocklist = blocklist
        self._quota = quota

    def _workers(self) -> tuple[WorkerPresence, ...]:
        return self._link.backend.roster.workers()

    async def begun_before(self, wanted: Wanted, owner: Owner, once: Once) -> Job | None:
        """The job that the same request made earlier."""
        if once.key:
            record = await self._link.backend.jobs.record(once.job_id(owner))
            if record is not None:
                check_same(record.job, fingerprint(wanted))
            return None if record is None else record.job
        if not once.is_retry:
            return None
        asked = fingerprint(wanted)
        records = await self._link.backend.jobs.records(_SEARCHED_JOBS)
        mine = (record for record in records if owner is None or record.job.owner == owner)
        return next((record.job for record in mine if joinable(record, asked)), None)

    def make_job(self, wanted: Wanted, owner: Owner, once: Once) -> Submitted:
        """Resolve what is wanted for a model that is on offer.

        Raises:
            EaselError: as `route`; CONTENT_REFUSED.
        """
        resolved, pool = route(wanted, self._workers(), self._settings, self._admission.waiting)
        self._blocklist.check(resolved.request.prompt)
        job = Job(
            id=once.job_id(owner),
            stages=(resolved.request,),
            pool=pool,
            owner=owner or "",
            created_at=time.time(),
            traceparent=telemetry.here(),
            dialect=wanted.dialect,
            fingerprint=fingerprint(wanted),
        )
        if not wanted.enhance:
            return Submitted(job, resolved.warnings)
        job, warnings = with_enhancement(job, wanted.style or "", self._workers(), self._settings)
        return Submitted(job, resolved.warnings + warnings)

    def make_again(self, before: Job, owner: Owner, once: Once) -> Submitted:
        """The same with a new seed, for a model that is still on offer.

        Raises:
            EaselError: MODEL_NOT_FOUND, UNSUPPORTED, UNAVAILABLE, CONTENT_REFUSED.
        """
        self._blocklist.check(before.request.prompt)
        workers = self._workers()
        pool = choose_pool(before.request, workers, self._admission.waiting)
        if pool is None:
            for refusal in refusals_of_mixed_pools(before.request, workers, workers):
                raise refusal
            offered = [model for model, _ in offered_models(workers).values()]
            check(choose_model(before.request.model, offered, self._settings), before.request)
            raise EaselError(ErrorCode.UNAVAILABLE, "no worker draws this now; try again soon", retry_after_s=5)
        drawn = drawn_again(before)
        job = msgspec.structs.replace(
            drawn.with_request(msgspec.structs.replace(drawn.request, seed=random_seed())),
            id=once.job_id(owner),
            pool=pool,
            owner=owner or "",
            created_at=time.time(),
            traceparent=telemetry.here(),
        )
        return Submitted(job, ())

    async def queue(self, made: Submitted, wanted: Wanted) -> Submitted:
        """Store the pictures to start from, then submit; the job as the bus holds it.

        Raises:
            EaselError: as `JobClient.submit`.
        """
        job = made.job
        kept: dict[str, InputImage] = {}
        for index, name in enumerate(("init_image", "mask_image")):
            data: bytes | None = getattr(wanted, name)
            if data is not None:
                kept[name] = await self._link.backend.images.put_input(self._link.name, job, index, data)
        if kept:
            job = job.with_request(msgspec.structs.replace(job.request, **kept))
        await self._link.backend.jobs.submit(job)
        return Submitted(job, made.warnings)

    async def queue_again(self, made: Submitted) -> Submitted:
        """Submit a job like another, whose pictures to start from are kept with that one.

        Raises:
            EaselError: NOT_FOUND, they are no longer kept; as `JobClient.submit`.
        """
        job = await self._link.backend.images.bring_inputs(self._link.name, made.job)
        await self._link.backend.jobs.submit(job)
        return Submitted(job, made.warnings)

    @contextlib.asynccontextmanager
    async def place(self, job: Job) -> AsyncIterator[None]:
        """Hold a place in the queue while the block submits.

        Raises:
            EaselError: as `Quota.charged` and `Admission.place`.
        """
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(_rejections_counted())
            await stack.enter_async_context(self._quota.charged(job))
            for pool in filter(None, (job.pool, job.next_pool)):
                slots = sum(worker.slots for worker in self._workers() if worker.pool == pool)
                await stack.enter_async_context(self._admission.place(pool, slots))
            yield
        told = partial(log.info, "job accepted", job_id=job.id, pool=job.pool)
        asyncio.get_running_loop().call_later(PASSING_S, told)  # when the job has passed on to its worker


@contextlib.contextmanager
def _rejections_counted() -> Iterator[None]:
    try:
        yield
    except EaselError as fault:
        REJECTED.labels(fault.code).inc()
        raise
