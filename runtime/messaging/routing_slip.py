"""From one stage of a job to the next: published by whoever finished the stage, once, whoever else does the same."""

from __future__ import annotations

from contracts.jobs import Job
from contracts.prompts import EnhancedPrompt
from runtime.messaging.connection import Bus
from runtime.messaging.job_events import read_outcome
from runtime.messaging.queued_jobs import publish_job, queued_stages, remove_job


async def pass_on(bus: Bus, job: Job, done: EnhancedPrompt) -> Job:
    """Queue what comes after the stage that a job is at; the job as it waits there.

    Of several that do this at once (a worker, its heir, a gateway that lost patience) the first decides the prompt.

    Raises:
        EaselError: QUEUE_FULL, UNAVAILABLE.
    """
    following = job.enhanced(done)
    await publish_job(bus, following)
    if await read_outcome(bus, job.id) is not None:  # cancelled meanwhile, perhaps before there was this to remove
        await remove_job(bus, following)
    return following


async def passed_on(bus: Bus, job: Job) -> bool:
    """Whether a later stage of the job is queued."""
    return any(queued.stage > job.stage for queued in await queued_stages(bus, job.id))
