"""One delivery, from claim to exactly one settlement.

    claim ─▶ compute (holds the slot) ─▶ deliver (slot already given on) ─▶ outcome ─▶ ack

The outcome is stored before the ack. A worker that dies between the two leaves a delivery whose next taker finds the
outcome and only acks; two workers that run the same job at once store one outcome, the first.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import structlog

from contracts import codec
from contracts.errors import EaselError, ErrorCode, JobError
from contracts.events import Enhanced, EventId, Progress, Released, Started, StoredEvent
from contracts.images import ImageRef, PreviewImage
from contracts.jobs import Job, JobOutcome, JobState
from contracts.prompts import EnhancedPrompt
from runtime.messaging.connection import Bus, BusError
from runtime.messaging.job_events import publish_event, read_outcome, store_outcome
from runtime.messaging.job_queue import Delivery
from runtime.messaging.routing_slip import pass_on, passed_on
from runtime.process.logging import withheld
from runtime.process.waiting import answer_passed
from runtime.worker.cancellation import CancelToken, StopReason
from runtime.worker.handler import Handler, JobCancelled, NotThisWorker
from runtime.worker.observation import Observation

log = structlog.get_logger()

HEARTBEATS_PER_ACK_WAIT = 4
ELSEWHERE_DELAY_S = 10.0
"""Pause before a job that this worker cannot read or do is offered again, to another if it is free then."""
BUS_AWAY_DELAY_S = 1.0


class Execution:
    """One attempt at one job by one worker. `release_slot` is called as soon as the device is free, exactly once."""

    def __init__(
        self, bus: Bus, worker: str, handler: Handler[Any], delivery: Delivery, release_slot: Callable[[], None]
    ) -> None:
        self._bus = bus
        self._worker = worker
        self._handler = handler
        self._delivery = delivery
        self._release_slot = release_slot
        self._loop = asyncio.get_running_loop()
        self._attempt_number = delivery.attempt
        self._published = -1
        self._started_at = time.time()
        self._observation = Observation(delivery, handler.device)
        self.token = CancelToken()
        self.job_id = delivery.job_id

    async def run(self) -> None:
        """Do the job, or find out why not, and settle."""
        with (
            structlog.contextvars.bound_contextvars(job_id=self.job_id, attempt=self._delivery.attempt),
            self._observation.processing(),
        ):
            try:
                async with self._heartbeat():
                    settle = await self._attempt()
            except (BusError, EaselError) as fault:
                log.warning("the bus is away, the job goes back", fault=str(fault))
                settle = self._nak(BUS_AWAY_DELAY_S)
            finally:
                self._free_slot()
                self._handler.settled(self.job_id)
            await settle()

    async def _attempt(self) -> Callable[[], Any]:
        """Work; the result is the one settlement to make."""
        try:
            job = codec.decode(self._delivery.data, Job)
        except codec.SchemaMismatch as fault:
            log.error("cannot read a job", fault=str(fault))  # noqa: TRY400  the message says it all
            return self._nak(ELSEWHERE_DELAY_S)
        self._attempt_number += job.attempts_before
        with withheld(job.request.prompt, job.request.negative_prompt):
            return await self._work(job)

    async def _work(self, job: Job) -> Callable[[], Any]:
        if await self._ended_before(job):
            return self._delivery.ack
        self._observation.began(job, self._attempt_number)
        await self._publish(Started(id=self._next_id(), at=self._started_at, worker=self._worker))
        try:
            delivered = await self._compute_and_deliver(job)
        except JobCancelled:
            return await self._stopped()
        except NotThisWorker as unable:
            return await self._offered_again(job, unable.lack)
        except EaselError as fault:
            if fault.code is ErrorCode.UNAVAILABLE:
                raise
            return await self._end(job, JobState.FAILED, error=fault.as_job_error())
        except Exception:  # the one edge where an engine's fault must become the job's, not the worker's
            log.exception("the job failed")
            message = f"the model failed; worker {self._worker} has the details in its log under this job's id"
            return await self._end(job, JobState.FAILED, error=JobError(code=ErrorCode.ENGINE_FAILED, message=message))
        return await self._done(job, delivered)

    async def _ended_before(self, job: Job) -> bool:
        """Whether an earlier attempt ended it. Restricted credentials cannot look: they draw, and nothing is stored."""
        if self._attempt_number == 1 or self._bus.settings.restricted:
            return False
        if job.next_pool and await passed_on(self._bus, job):
            return True
        return await read_outcome(self._bus, job.id) is not None

    async def _compute_and_deliver(self, job: Job) -> tuple[ImageRef, ...] | EnhancedPrompt:
        if self.token.reason is not None:
            raise JobCancelled
        try:
            with self._observation.computing(job):
                computed = await self._handler.compute(job, self.on_step)
        finally:
            self._free_slot()
        if self.token.reason is StopReason.ENDED:
            raise JobCancelled
        with self._observation.delivering():
            return await self._handler.deliver(job, self._attempt_number, computed)

    async def abandon(self) -> None:
        """Hand the job back although its engine does not stop: the process is about to end."""
        await self._publish(Released(id=self._next_id(), at=time.time(), worker=self._worker))
        await self._delivery.nak()

    def on_step(self, done: int, total: int, previews: tuple[PreviewImage, ...] = (), /) -> None:
        """See `handler.OnStep`; called in the engine's thread."""
        if self.token.reason is not None:
            raise JobCancelled
        self._observation.step(done, total)
        self._loop.call_soon_threadsafe(self._report, done, total, previews)

    def _report(self, done: int, total: int, previews: tuple[PreviewImage, ...]) -> None:
        event = Progress(
            id=self._next_id(),
            at=time.time(),
            worker=self._worker,
            started_at=self._started_at,
            step=done,
            total_steps=total,
            previews=previews,
        )
        self._loop.create_task(self._publish(event))

    def _next_id(self) -> EventId:
        self._published += 1
        return EventId(self._attempt_number, self._published)

    async def _publish(self, event: StoredEvent) -> None:
        await publish_event(self._bus, self._worker, self.job_id, event)

    async def _stopped(self) -> Callable[[], Any]:
        if self.token.reason is StopReason.HAND_BACK:
            await self._publish(Released(id=self._next_id(), at=time.time(), worker=self._worker))
            return self._nak(0)
        return self._delivery.ack

    async def _offered_again(self, job: Job, lack: EaselError) -> Callable[[], Any]:
        """Until it was delivered as often as jobs are."""
        if self._delivery.attempt >= self._bus.settings.max_deliver:
            return await self._end(job, JobState.FAILED, error=lack.as_job_error())
        log.warning("this worker cannot do a job of its pool, which goes back", fault=lack.message)
        await self._publish(Released(id=self._next_id(), at=time.time(), worker=self._worker))
        return self._nak(ELSEWHERE_DELAY_S)

    async def _done(self, job: Job, done: tuple[ImageRef, ...] | EnhancedPrompt) -> Callable[[], Any]:
        """End the job, or queue its next stage; the event goes ahead of those of the worker that takes it."""
        if not isinstance(done, EnhancedPrompt):
            return await self._end(job, JobState.SUCCEEDED, images=done)
        event = Enhanced(
            id=self._next_id(), at=time.time(), worker=self._worker, prompt=done.prompt, source=done.source
        )
        await self._publish(event)
        following = await pass_on(self._bus, job, done)
        log.info("job passed on", pool=following.pool, source=done.source)
        return self._delivery.ack

    async def _end(self, job: Job, state: JobState, **result: Any) -> Callable[[], Any]:
        await asyncio.sleep(0)  # let progress that the engine's thread has handed over go out first
        outcome = JobOutcome(
            job=job,
            state=state,
            finished_at=time.time(),
            worker=self._worker,
            attempt=self._attempt_number,
            started_at=self._started_at,
            last_event=self._published,
            **result,
        )
        stands = await store_outcome(self._bus, self._worker, outcome)
        await answer_passed()
        if stands:
            self._observation.ended(len(outcome.images))
            log.info("job ended", state=state, seconds=round(outcome.finished_at - self._started_at, 3))
        else:
            log.info("job had ended elsewhere; this result is dropped", state=state)
        return self._delivery.ack

    def _nak(self, delay_s: float) -> Callable[[], Any]:
        return lambda: self._delivery.nak(delay_s)

    def _free_slot(self) -> None:
        release, self._release_slot = self._release_slot, _already_released
        release()

    @contextlib.asynccontextmanager
    async def _heartbeat(self) -> AsyncIterator[None]:
        """Keep the delivery ours while the block runs."""
        interval = self._bus.settings.ack_wait_s / HEARTBEATS_PER_ACK_WAIT

        async def beat() -> None:
            while True:
                await asyncio.sleep(interval)
                await self._delivery.in_progress()

        task = asyncio.create_task(beat())
        try:
            yield
        finally:
            task.cancel()


def _already_released() -> None:
    """What releasing a slot twice does."""
