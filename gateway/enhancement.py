"""Jobs whose prompt is enhanced before it is drawn: the stage that goes first, and what becomes of it unanswered.

The enhancer is never waited for longer than a job's own time for it: dead, slow or overrun, the prompt is drawn as it
was written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import msgspec
import structlog

from contracts.images import ModelInfo
from contracts.jobs import ATTEMPTS_PER_STAGE, Job
from contracts.prompts import ENHANCER, EnhancedPrompt, EnhancePrompt, PromptSource
from contracts.workers import WorkerPresence
from gateway.settings import GatewaySettings
from runtime.messaging.cancel_signals import send_cancel
from runtime.messaging.connection import Bus
from runtime.messaging.queued_jobs import remove_job, waiting_jobs
from runtime.messaging.routing_slip import pass_on
from runtime.process.waiting import until

log = structlog.get_logger()

PAUSE_S = 0.5
"""Between two looks at the prompts that wait."""
MARGIN_S = 1.0
"""What the enhancer gets on top to say itself that it has no answer."""


def with_enhancement(
    job: Job, style: str, workers: Iterable[WorkerPresence], settings: GatewaySettings
) -> tuple[Job, tuple[str, ...]]:
    """The job with its prompt enhanced first, where an enhancer is there; and what its client should know."""
    workers = tuple(workers)
    wish = wish_for(job.request.prompt, job.request.model, style, workers, settings)
    before = msgspec.structs.replace(job, stages=(wish, *job.stages), pool=ENHANCER, next_pool=job.pool)
    if enhancer_is_there(workers):
        return before, ()
    return before.enhanced(as_it_was(job.request.prompt)), ("no enhancer is connected: the prompt is drawn as it is",)


def wish_for(
    prompt: str, model: str, style: str, workers: Iterable[WorkerPresence], settings: GatewaySettings
) -> EnhancePrompt:
    """What the enhancer is asked."""
    return EnhancePrompt(
        prompt=prompt,
        model=model,
        family=family_of(model, workers),
        style=style,
        timeout_s=settings.enhancer_timeout_s,
    )


def drawn_again(job: Job) -> Job:
    """A job like one that went through its enhancement, or was to: with what came of it, and not enhanced again."""
    if job.to_enhance is not None:
        return job.enhanced(as_it_was(job.request.prompt))
    return msgspec.structs.replace(job, attempts_before=ATTEMPTS_PER_STAGE * job.stage)


def as_it_was(prompt: str) -> EnhancedPrompt:
    """The answer where there is none."""
    return EnhancedPrompt(prompt=prompt, source=PromptSource.ORIGINAL)


def enhancer_is_there(workers: Iterable[WorkerPresence]) -> bool:
    return any(worker.service == ENHANCER for worker in workers)


def family_of(model_id: str, workers: Iterable[WorkerPresence]) -> str:
    """The family of a model that is on offer; empty for another."""
    models: Iterable[ModelInfo] = (model for worker in workers for model in worker.models)
    return next((model.family for model in models if model.id == model_id), "")


class OverdueEnhancements:
    """Has prompts drawn as they were when their time for enhancement is over.

    Run one in each gateway; they do no harm to each other.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._seen: dict[str, float] = {}
        """When each waiting job was first seen; by the monotonic clock, as machines' clocks differ."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set.

        Raises:
            EaselError, BusError: the bus does not answer; the caller begins anew.
        """
        while not stop.is_set():
            jobs, now = await waiting_jobs(self._bus, ENHANCER), time.monotonic()
            self._seen = {job.id: self._seen.get(job.id, now) for job in jobs}
            for job in jobs:
                if job.to_enhance and now - self._seen[job.id] > job.to_enhance.timeout_s + MARGIN_S:
                    await self._give_up(job)
            await until(stop, PAUSE_S)

    async def _give_up(self, job: Job) -> None:
        await pass_on(self._bus, job, as_it_was(job.request.prompt))
        await remove_job(self._bus, job)
        await send_cancel(self._bus, job.pool, job.id)
        log.warning("prompt drawn as it was: its time is over", job_id=job.id)
