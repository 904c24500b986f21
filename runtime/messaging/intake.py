"""Where jobs are accepted while the jobs stream has no leader: a second stream, in a cluster, led by another server.

A server that dies leaves what it led without a leader for 4 to 9 s, which no setting shortens. Gateways move what the
intake took to the jobs stream as soon as there is one. A job has one message id at both places, so that a first try
that was stored after all, unheard, makes no second job; and it enters the jobs stream before it leaves the intake, so
that whoever looks in this order misses it nowhere.
"""

from __future__ import annotations

import asyncio
import itertools

import structlog

from contracts import codec
from contracts.errors import EaselError, ErrorCode
from contracts.jobs import Job
from contracts.subjects import MOVER
from runtime.messaging.cancel_signals import send_cancel
from runtime.messaging.connection import STORE_PATIENCE_S, Bus, BusError, unavailable
from runtime.messaging.job_events import read_outcome
from runtime.messaging.job_queue import JobQueue
from runtime.messaging.queued_jobs import delete_job, publish_job, read_jobs, remove_job, store_job

log = structlog.get_logger()

_TURN_S = 0.5
"""For one of the two streams; a server that leaves in order has handed its own over by then."""
_DELAY_S = 1.0
"""Before a job that could not be moved is tried again."""


async def submit_job(bus: Bus, job: Job) -> None:
    """Put a job into its queue or, while that has no leader, into the intake.

    Raises:
        EaselError: QUEUE_FULL, UNAVAILABLE.
    """
    if bus.settings.replicas == 1:
        await publish_job(bus, job)
        return
    loop = asyncio.get_running_loop()
    deadline = loop.time() + STORE_PATIENCE_S
    for subject in itertools.cycle((bus.subjects.job(job.pool, job.id), bus.subjects.intake(job.pool, job.id))):
        if await _stored(bus, subject, job):
            return
        if loop.time() > deadline:
            raise unavailable(STORE_PATIENCE_S)


async def _stored(bus: Bus, subject: str, job: Job) -> bool:
    """Whether somebody answered in time."""
    try:
        await store_job(bus, subject, job, _TURN_S)
    except EaselError as fault:
        if fault.code is not ErrorCode.UNAVAILABLE:
            raise
        return False
    return True


async def accepted_jobs(bus: Bus, job_id: str = "*") -> list[Job]:
    """What the intake holds, of one job or of all; one may be in its queue too, or have ended.

    Raises:
        BusError, EaselError: the bus does not answer.
    """
    if bus.settings.replicas == 1:
        return []
    return await read_jobs(bus, bus.subjects.intake_stream, bus.subjects.intake("*", job_id))


async def withdraw_job(bus: Bus, job: Job) -> None:
    """Take a job out of the intake; harmless when it is gone.

    Raises:
        BusError, EaselError: the bus does not answer.
    """
    await delete_job(bus, bus.subjects.intake_stream, bus.subjects.intake(job.pool, job.id))


class IntakeMover:
    """Moves jobs from the intake to their queues. Run one in each gateway of a cluster; they share the work."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        async with JobQueue(self._bus, self._bus.subjects.intake_stream, MOVER, stop).open() as queue:
            while (delivery := await queue.next()) is not None:
                try:
                    await self._move(codec.decode(delivery.data, Job))
                except (BusError, EaselError, codec.SchemaMismatch) as fault:
                    log.warning("a job stays in the intake for now", job_id=delivery.job_id, fault=str(fault))
                    await delivery.nak(delay_s=_DELAY_S)
                else:
                    await delivery.ack()

    async def _move(self, job: Job) -> None:
        """Unless it has ended: cancelled, or drawn because its first try was stored after all."""
        if await read_outcome(self._bus, job.id) is not None:
            return
        await publish_job(self._bus, job)
        log.info("job moved from the intake", job_id=job.id, pool=job.pool)
        if await read_outcome(self._bus, job.id) is not None:  # cancelled meanwhile, perhaps before it was there
            await remove_job(self._bus, job)
            await send_cancel(self._bus, job.pool, job.id)
