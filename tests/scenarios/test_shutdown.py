"""Workers leave under load: what runs is finished or handed back, nothing is lost."""

from __future__ import annotations

import asyncio

from contracts.events import Finished, Progress, Released, Started
from contracts.jobs import JobState
from runtime.messaging.job_client import JobClient
from runtime.messaging.settings import BusSettings
from tests.support import builders
from tests.support.fake_engine import FakeEngine
from tests.support.workers import WorkerProcess, live, running_worker


async def test_the_first_sigterm_lets_the_running_job_finish_and_leaves_the_rest(
    bus_settings: BusSettings, jobs: JobClient
) -> None:
    """The worker exits with status 0; the waiting job goes to the next one."""
    running, waiting = builders.job(num_inference_steps=20), builders.job(num_inference_steps=1)
    with WorkerProcess(bus_settings, "leaver", step_s=0.05) as leaver:
        await live(bus_settings, "leaver")
        async with asyncio.timeout(20), jobs.follow(running.id, fresh=True) as events:
            await jobs.submit(running)
            async for event in events:
                if isinstance(event, Started):
                    await jobs.submit(waiting)
                    leaver.process.terminate()
            assert isinstance(event, Finished)
            assert event.outcome.state is JobState.SUCCEEDED
            assert event.outcome.attempt == 1
        assert leaver.process.wait(20) == 0
    record = await jobs.record(waiting.id)
    assert record is not None
    assert record.state is JobState.QUEUED
    async with running_worker(bus_settings, FakeEngine()), asyncio.timeout(10), jobs.follow(waiting.id) as rest:
        assert [event async for event in rest][-1].outcome.attempt == 1  # type: ignore[union-attr]


async def test_the_deadline_hands_the_running_job_back_and_another_finishes_it(
    bus_settings: BusSettings, jobs: JobClient
) -> None:
    """Without waiting for the ack-wait, and seen by the follower."""
    job = builders.job(num_inference_steps=200)
    first, second = FakeEngine(step_s=0.05), FakeEngine()
    async with asyncio.timeout(30), jobs.follow(job.id, fresh=True) as events:
        async with running_worker(bus_settings, first, name="leaver", soft_stop_s=0.2) as shutdown:
            await jobs.submit(job)
            seen = []
            async for event in events:
                seen.append(event)
                if isinstance(event, Progress):
                    break
            shutdown.request()
        async with running_worker(bus_settings, second, name="heir"):
            seen += [event async for event in events]
    story = [type(event) for event in seen if not isinstance(event, Progress)]
    assert story == [Started, Released, Started, Finished]
    assert seen[-1].outcome.worker == "heir"  # type: ignore[union-attr]


async def test_jobs_submitted_while_workers_come_and_go_are_each_drawn_once(
    bus_settings: BusSettings, jobs: JobClient
) -> None:
    """Three workers in turn, each stopped under load."""
    submitted = [builders.job(prompt=f"picture {number}", num_inference_steps=2) for number in range(30)]
    engines = [FakeEngine(step_s=0.02) for _ in range(3)]
    await asyncio.gather(*(jobs.submit(job) for job in submitted))
    for engine in engines[:2]:
        async with running_worker(bus_settings, engine):
            async with asyncio.timeout(20), jobs.follow(submitted[0].id) as events:
                async for _ in events:
                    pass
    async with running_worker(bus_settings, engines[2]):
        for job in submitted:
            async with asyncio.timeout(30), jobs.follow(job.id) as events:
                assert [event async for event in events][-1].outcome.state is JobState.SUCCEEDED  # type: ignore[union-attr]
    drawn = [prompt for engine in engines for prompt in engine.drawn]
    assert sorted(drawn) == sorted(job.request.prompt for job in submitted)
