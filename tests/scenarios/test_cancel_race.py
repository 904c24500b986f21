"""A cancellation that reaches a worker before the worker has begun with the job."""

from __future__ import annotations

import asyncio

from contracts.jobs import Job, JobState
from runtime.messaging.cancel_signals import send_cancel
from runtime.messaging.connection import Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.settings import BusSettings
from tests.support import builders
from tests.support.fake_engine import FakeEngine
from tests.support.workers import WorkerProcess, live, running_worker


async def test_a_job_cancelled_on_its_way_to_the_worker_is_not_drawn(
    bus: Bus, bus_settings: BusSettings, jobs: JobClient
) -> None:
    """The worker remembers signals for jobs that it has not met yet."""
    engine = FakeEngine()
    early, blocker = builders.job(prompt="early"), builders.job(prompt="gate")
    async with running_worker(bus_settings, engine):
        await jobs.submit(blocker)
        await send_cancel(bus, early.pool, early.id)
        await bus.client.flush()
        await jobs.submit(early)
        engine.gate.set()
        async with asyncio.timeout(10):
            for number in range(3):
                after = builders.job(prompt=f"after {number}")
                async with jobs.follow(after.id, fresh=True) as events:
                    await jobs.submit(after)
                    outcome = [event async for event in events][-1].outcome  # type: ignore[union-attr]
                assert outcome.state is JobState.SUCCEEDED
    assert engine.drawn == ["gate", "after 0", "after 1", "after 2"]


async def test_cancelling_one_job_does_not_lose_another_that_a_dying_worker_holds(
    bus_settings: BusSettings, jobs: JobClient
) -> None:
    """A purge by subject, the obvious way to remove work, makes the server forget what was delivered before it."""
    held, cancelled, after = builders.job(prompt="gate held"), builders.job(prompt="gate cancelled"), builders.job()
    engine = FakeEngine()
    with WorkerProcess(bus_settings, "victim") as victim:
        await live(bus_settings, "victim")
        await started(jobs, held)
        async with running_worker(bus_settings, engine), asyncio.timeout(20):
            await started(jobs, cancelled)
            await jobs.cancel(cancelled.id)
            engine.gate.set()
            await finished(jobs, after)
            victim.kill()
            async with jobs.follow(held.id) as events:
                outcome = [event async for event in events][-1].outcome  # type: ignore[union-attr]
    assert outcome.state is JobState.SUCCEEDED
    assert engine.drawn == ["gate cancelled", after.request.prompt, "gate held"]


async def started(jobs: JobClient, job: Job) -> None:
    """Submit a job and return when a worker has it."""
    async with jobs.follow(job.id, fresh=True) as events:
        await jobs.submit(job)
        await anext(events)


async def finished(jobs: JobClient, job: Job) -> None:
    """Submit a job and return when it has ended."""
    async with jobs.follow(job.id, fresh=True) as events:
        await jobs.submit(job)
        assert [event async for event in events][-1].outcome.state is JobState.SUCCEEDED  # type: ignore[union-attr]
