"""A job's events as its followers read them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec

from contracts.events import Enhanced, EventId, Finished, JobEvent, Progress, Queued
from contracts.jobs import attempt_at_stage
from gateway.api.jobs import schemas
from gateway.api.jobs.convert import picture_facts
from gateway.service import Service
from gateway.sse import server_sent_event, with_keep_alives


async def event_stream(
    service: Service, job_id: str, after: EventId | None, draining: asyncio.Event
) -> AsyncIterator[bytes]:
    """What a follower reads, keep-alives included, until the job ends or `draining` is set."""

    async def encoded() -> AsyncIterator[bytes]:
        async with service.follow(job_id, after) as events:
            async for event in events:
                yield encoded_event(event)

    async with aclosing(with_keep_alives(encoded(), draining)) as stream:
        async for chunk in stream:
            yield chunk


def encoded_event(happened: JobEvent) -> bytes:
    """One event as it goes over the wire, named by the tag of its struct: queued, started, progress and so on."""
    name = str(happened.__struct_config__.tag)
    return server_sent_event(name, msgspec.json.encode(_event_data(happened)), str(happened.id))


def _event_data(happened: JobEvent) -> dict[str, Any]:
    match happened:
        case Finished(outcome=outcome):
            error = outcome.error
            return {
                "job_id": outcome.job.id,
                "state": outcome.state,
                "at": outcome.finished_at,
                "started_at": outcome.started_at or None,
                "attempt": attempt_at_stage(outcome.attempt),
                "worker": outcome.worker,
                "images": picture_facts(outcome),
                "error": schemas.FaultReply(code=error.code, message=error.message, param=error.param)
                if error
                else None,
            }
        case Progress() as progress:
            return {
                "at": progress.at,
                "attempt": attempt_at_stage(progress.id.attempt),
                "worker": progress.worker,
                "started_at": progress.started_at,
                "step": progress.step,
                "total_steps": progress.total_steps,
                "progress": round(progress.step / max(1, progress.total_steps), 4),
                **({"previews": [msgspec.structs.asdict(it) for it in progress.previews]} if progress.previews else {}),
            }
        case Enhanced() as enhanced:
            return {"at": enhanced.at, "worker": enhanced.worker, "prompt": enhanced.prompt, "source": enhanced.source}
        case Queued(at=at):
            return {"at": at}
        case _:
            return {"at": happened.at, "attempt": attempt_at_stage(happened.id.attempt), "worker": happened.worker}
