"""A worker dies with kill -9 in the middle of a job: another finishes it, once."""

from __future__ import annotations

import asyncio
import time

from contracts.events import Finished, Progress, Started
from contracts.jobs import JobOutcome, JobState
from runtime.messaging.connection import Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.job_events import store_outcome
from runtime.messaging.settings import BusSettings
from tests.support import builders
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.workers import WorkerProcess, live, running_worker


async def test_a_killed_workers_job_is_finished_by_another(bus_settings: BusSettings, jobs: JobClient) -> None:
    """The follower sees two attempts and one end, no later than ack-wait + 5 s after the kill."""
    job = builders.job(num_inference_steps=400)
    with WorkerProcess(bus_settings, "victim", step_s=0.05) as victim:
        await live(bus_settings, "victim")
        async with asyncio.timeout(30), jobs.follow(job.id, fresh=True) as events:
            await jobs.submit(job)
            seen = []
            async for event in events:
                seen.append(event)
                if isinstance(event, Progress) and event.step == 3:
                    break
            victim.kill()
            killed_at = time.monotonic()
            async with running_worker(bus_settings, FakeEngine(), name="heir"):
                seen += [event async for event in events]
                took = time.monotonic() - killed_at
    assert [event.worker for event in seen if isinstance(event, Started)] == ["victim", "heir"]
    ends = [event.outcome for event in seen if isinstance(event, Finished)]
    assert [(end.state, end.worker, end.attempt) for end in ends] == [(JobState.SUCCEEDED, "heir", 2)]
    steps = [event.step for event in seen if isinstance(event, Progress) and event.id.attempt == 2]
    assert steps == list(range(1, 401))
    assert took < bus_settings.ack_wait_s + 5


async def test_a_job_that_outlives_the_ack_wait_is_not_drawn_twice(bus_settings: BusSettings, jobs: JobClient) -> None:
    """Heartbeats keep it with its worker."""
    engine, idle = FakeEngine(step_s=0.25), FakeEngine()
    job = builders.job(num_inference_steps=12)
    async with running_worker(bus_settings, engine), running_worker(bus_settings, idle):
        async with asyncio.timeout(30), jobs.follow(job.id, fresh=True) as events:
            await jobs.submit(job)
            outcome = [event async for event in events][-1].outcome  # type: ignore[union-attr]
    assert outcome.attempt == 1
    assert len(engine.drawn) + len(idle.drawn) == 1


async def test_a_job_that_ended_before_its_ack_is_not_drawn_again(
    bus: Bus, bus_settings: BusSettings, jobs: JobClient
) -> None:
    """A worker that dies between outcome and ack leaves a delivery that its heir only acknowledges."""
    engine = FakeEngine()
    job = builders.job(prompt="gate")
    with WorkerProcess(bus_settings, "victim") as victim:
        await live(bus_settings, "victim")
        async with jobs.follow(job.id, fresh=True) as events:
            await jobs.submit(job)
            await anext(events)
        victim.kill()
    ended = JobOutcome(job=job, state=JobState.SUCCEEDED, finished_at=time.time(), worker="victim", attempt=1)
    assert await store_outcome(bus, "victim", ended)
    async with running_worker(bus_settings, engine):

        async def settled() -> bool:
            depth = await jobs.depth("fake")
            return depth.waiting == depth.running == 0

        await eventually(settled)
    assert engine.drawn == []
