"""Ends the jobs that no worker survives.

A job delivered `max_deliver` times without being settled stays in its stream, invisible to every worker. The server
says so once, in an advisory that the dead-letter stream keeps until some gateway has told the job's owner.
"""

from __future__ import annotations

import asyncio
import json
import time

import structlog

from contracts import codec
from contracts.errors import EaselError, ErrorCode, JobError
from contracts.jobs import Job, JobOutcome, JobState
from contracts.prompts import EnhancedPrompt, PromptSource
from contracts.subjects import REAPER
from runtime.messaging.connection import Bus, BusError
from runtime.messaging.job_events import last_events, store_outcome
from runtime.messaging.job_queue import Delivery, JobQueue
from runtime.messaging.queued_jobs import remove_job
from runtime.messaging.routing_slip import pass_on

log = structlog.get_logger()


class DeadLetterReaper:
    """Run one in each gateway; they share the work."""

    def __init__(self, bus: Bus, author: str) -> None:
        self._bus = bus
        self._author = author

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        async with JobQueue(self._bus, self._bus.subjects.dead_letters_stream, REAPER, stop).open() as queue:
            while (delivery := await queue.next()) is not None:
                try:
                    await self._bury(delivery)
                except (BusError, EaselError, codec.SchemaMismatch) as fault:
                    log.warning("cannot end a dead job yet", fault=str(fault))
                    await delivery.nak(delay_s=5)

    async def _bury(self, delivery: Delivery) -> None:
        advisory = json.loads(delivery.data)
        job = await self._job(advisory["stream_seq"])
        if job is not None and job.to_enhance is not None:
            await pass_on(self._bus, job, EnhancedPrompt(prompt=job.request.prompt, source=PromptSource.ORIGINAL))
            await remove_job(self._bus, job)
            log.error("prompt drawn as it was: no enhancer survived it", job_id=job.id)
        elif job is not None:
            events = await last_events(self._bus, [job.id])
            last = events.get(job.id)
            tries = advisory["deliveries"]
            message = f"{tries} workers died on this job or handed it back; it is not tried again"
            outcome = JobOutcome(
                job=job,
                state=JobState.FAILED,
                finished_at=time.time(),
                attempt=last.id.attempt if last else tries,
                last_event=last.id.number if last else -1,
                error=JobError(code=ErrorCode.ENGINE_FAILED, message=message),
            )
            await store_outcome(self._bus, self._author, outcome)
            await remove_job(self._bus, job)
            log.error("job failed: too many deliveries", job_id=job.id, deliveries=tries)
        await delivery.ack()

    async def _job(self, sequence: int) -> Job | None:
        """The job at a sequence of the jobs stream, unless somebody ended it meanwhile."""
        subjects = self._bus.subjects
        found = await self._bus.read(subjects.jobs_stream, seq=sequence, next_by_subj=subjects.job("*", "*"), batch=1)
        return codec.decode(found[0].data, Job) if found and found[0].sequence == sequence else None
