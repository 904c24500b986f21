"""Jobs that have not ended, as their pools' queues hold them: put there, looked up, moved and taken out."""

from __future__ import annotations

import msgspec

from contracts import codec
from contracts.errors import EaselError, ErrorCode
from contracts.jobs import Job
from runtime.messaging.connection import STORE_FAILED, STORE_PATIENCE_S, Bus, BusError
from runtime.messaging.image_store import ImageStore
from runtime.messaging.job_events import last_events
from runtime.messaging.metrics import SYSTEM, template_of
from runtime.process import telemetry

_NO_MESSAGE = {10037, 10043, 10057}
"""Not found, or deleted meanwhile."""


async def queued_stages(bus: Bus, job_id: str) -> list[Job]:
    """A job as it waits or runs; twice while it goes from one stage to the next.

    Raises:
        BusError, EaselError: the bus does not answer.
    """
    return await read_jobs(bus, bus.subjects.jobs_stream, bus.subjects.job("*", job_id))


async def waiting_jobs(bus: Bus, pool: str = "*") -> list[Job]:
    """The jobs of one pool or of all that have not ended, the oldest first, whether or not a worker has them in hand.

    Raises:
        BusError, EaselError: the bus does not answer.
    """
    return await read_jobs(bus, bus.subjects.jobs_stream, bus.subjects.job(pool, "*"))


async def publish_job(bus: Bus, job: Job) -> None:
    """Put a job's current stage into its queue, once.

    Raises:
        EaselError: QUEUE_FULL, UNAVAILABLE.
    """
    await store_job(bus, bus.subjects.job(job.pool, job.id), job)


async def store_job(bus: Bus, subject: str, job: Job, patience_s: float = STORE_PATIENCE_S) -> None:
    """Put a job's current stage where `subject` leads, once; trying for `patience_s` seconds.

    Raises:
        EaselError: QUEUE_FULL, UNAVAILABLE.
    """
    template = template_of(subject)
    attributes = {
        "messaging.system": SYSTEM,
        "messaging.operation.type": "send",
        "messaging.destination.template": template,
        "t2i.job.id": job.id,
    }
    try:
        with telemetry.span(f"send {template}", "producer", attributes):
            context = telemetry.here() or job.traceparent
            await bus.store(
                subject,
                codec.encode(job),
                message_id=f"{job.id}.{job.stage}.{job.attempts_before}",
                headers={telemetry.TRACEPARENT: context} if context else None,
                patience_s=patience_s,
            )
    except BusError as fault:
        if fault.code != STORE_FAILED:
            raise
        message = f"the bus holds {bus.settings.max_jobs} jobs, as many as it may; try again later"
        raise EaselError(ErrorCode.QUEUE_FULL, message, retry_after_s=30) from fault


async def declared_pools(bus: Bus) -> set[str]:
    """Every pool that was ever served.

    Raises:
        BusError, EaselError: the bus does not answer.
    """
    prefix, found = bus.subjects.consumer(""), set[str]()
    while True:
        answer = await bus.api(f"CONSUMER.NAMES.{bus.subjects.jobs_stream}", {"offset": len(found)})
        names = answer["consumers"] or []
        found |= set(names)
        if not names or len(found) >= answer["total"]:
            return {name.removeprefix(prefix) for name in found if name.startswith(prefix)}


async def move_job(bus: Bus, author: str, job: Job, pool: str) -> Job:
    """Take a job out of a pool that nobody serves and put it into another; the job as it waits there.

    Any number of gateways may do this at once: it is put there once. A worker of the old pool that comes back and
    finishes it after all competes with the new one for the one outcome.

    Raises:
        EaselError: QUEUE_FULL, UNAVAILABLE; NOT_FOUND, its pictures to start from are no longer kept.
    """
    events = await last_events(bus, [job.id])
    made = events[job.id].id.attempt if job.id in events else 0
    moved = msgspec.structs.replace(job, pool=pool, attempts_before=max(made, job.attempts_before + 1))
    moved = await ImageStore(bus).bring_inputs(author, moved)
    await publish_job(bus, moved)
    await remove_job(bus, job)
    return moved


async def remove_job(bus: Bus, job: Job) -> None:
    """Take a job out of its queue, waiting or in a worker's hands; harmless when it is gone."""
    await delete_job(bus, bus.subjects.jobs_stream, bus.subjects.job(job.pool, job.id))


async def delete_job(bus: Bus, stream: str, subject: str) -> None:
    """Take what has a subject out of a stream that keeps one for each.

    By its sequence: a purge by its subject makes nats-server 2.15.1 forget other jobs that are in workers' hands, which
    are then never delivered again when their worker dies (`tests/scenarios/test_cancel_race.py`).
    """
    for message in await bus.read(stream, seq=1, next_by_subj=subject, batch=1):
        try:
            await bus.api(f"STREAM.MSG.DELETE.{stream}", {"seq": message.sequence, "no_erase": True})
        except BusError as fault:
            if fault.code not in _NO_MESSAGE:
                raise


async def read_jobs(bus: Bus, stream: str, subject: str) -> list[Job]:
    """The jobs of a stream, in its order.

    Raises:
        BusError, EaselError: the bus does not answer.
    """
    return [codec.decode(message.data, Job) for message in await bus.read(stream, seq=1, next_by_subj=subject)]
