"""The bus as gateways and workers see it: submit, follow, cancel, look up."""

from __future__ import annotations

import asyncio

from contracts.events import Finished, Progress, Queued, Started
from contracts.jobs import JobState, new_job_id
from runtime.messaging.connection import Bus
from runtime.messaging.image_store import ImageStore
from runtime.messaging.job_client import JobClient
from runtime.messaging.settings import BusSettings
from tests.support import builders
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.workers import running_worker


async def finish(jobs: JobClient, job_id: str) -> list[object]:
    """Every event of a job, to its end."""
    async with jobs.follow(job_id) as events:
        return [event async for event in events]


async def test_a_submitted_job_is_drawn_and_its_picture_can_be_fetched(
    bus: Bus, bus_settings: BusSettings, jobs: JobClient
) -> None:
    """The whole path, once."""
    async with running_worker(bus_settings, FakeEngine()):
        job = builders.job(num_images=2)
        await jobs.submit(job)
        events = await asyncio.wait_for(finish(jobs, job.id), 10)
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert finished.outcome.state is JobState.SUCCEEDED, finished.outcome.error
    assert [ref.seed for ref in finished.outcome.images] == [7, 8]
    pictures = [await ImageStore(bus).get(ref) for ref in finished.outcome.images]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


async def test_a_live_follower_and_a_late_one_see_the_same_events(bus_settings: BusSettings, jobs: JobClient) -> None:
    """Queued, started, every step in order, finished; nothing twice."""
    async with running_worker(bus_settings, FakeEngine()):
        job = builders.job(num_inference_steps=20)
        async with jobs.follow(job.id, fresh=True) as live:
            await jobs.submit(job)
            seen = [event async for event in live]
    late = await finish(jobs, job.id)
    assert isinstance(late[0], Queued)
    assert isinstance(late[1], Started)
    assert [event.step for event in late if isinstance(event, Progress)] == list(range(1, 21))
    assert late[1:] == seen


async def test_whoever_waits_for_the_end_alone_hears_it_live_and_late_and_after_the_bus_was_away(
    bus: Bus, bus_settings: BusSettings, jobs: JobClient
) -> None:
    """And no step: the bus does not send what nobody wants."""
    async with running_worker(bus_settings, FakeEngine()), asyncio.timeout(20):
        job = builders.job(num_inference_steps=20)
        before = bus.client.stats["in_msgs"]
        async with jobs.ending(job.id, fresh=True) as ending:
            await jobs.submit(job)
            live = await ending()
        assert bus.client.stats["in_msgs"] == before + 2, "the acknowledgement and the outcome"
        async with jobs.ending(job.id) as ending:
            assert await ending() == live
        async with jobs.ending(job.id, fresh=True) as ending:
            waiting = asyncio.create_task(ending())  # for what was said already
            await bus._on_reconnect()
            assert await waiting == live
    assert live.state is JobState.SUCCEEDED


async def test_a_follower_resumes_after_the_last_event_it_saw(bus_settings: BusSettings, jobs: JobClient) -> None:
    """Last-Event-ID, on any replica."""
    async with running_worker(bus_settings, FakeEngine()):
        job = builders.job(num_inference_steps=8)
        await jobs.submit(job)
        whole = await asyncio.wait_for(finish(jobs, job.id), 10)
    for position in range(len(whole)):
        async with jobs.follow(job.id, after=whole[position].id) as events:  # type: ignore[attr-defined]
            assert [event async for event in events] == whole[position + 1 :]


async def test_the_same_job_submitted_twice_is_one_job(bus_settings: BusSettings, jobs: JobClient) -> None:
    """A retry after a lost acknowledgement must not draw twice."""
    engine = FakeEngine()
    job = builders.job()
    await asyncio.gather(*(jobs.submit(job) for _ in range(5)))
    async with running_worker(bus_settings, engine):
        await asyncio.wait_for(finish(jobs, job.id), 10)
        await jobs.submit(job)
        other = builders.job(prompt="another")
        await jobs.submit(other)
        await asyncio.wait_for(finish(jobs, other.id), 10)
    assert engine.drawn == [job.request.prompt, "another"]


async def test_a_cancelled_waiting_job_never_starts(bus_settings: BusSettings, jobs: JobClient) -> None:
    """It leaves the queue before a worker sees it."""
    engine = FakeEngine()
    job = builders.job()
    await jobs.submit(job)
    record = await jobs.cancel(job.id)
    assert record is not None
    assert record.state is JobState.CANCELLED
    async with running_worker(bus_settings, engine):
        other = builders.job(prompt="another")
        await jobs.submit(other)
        await asyncio.wait_for(finish(jobs, other.id), 10)
    assert engine.drawn == ["another"]
    assert (await finish(jobs, job.id))[-1].outcome.state is JobState.CANCELLED  # type: ignore[attr-defined]


async def test_a_cancelled_running_job_stops_within_a_step(bus_settings: BusSettings, jobs: JobClient) -> None:
    """And the worker is free for the next one."""
    engine = FakeEngine(step_s=0.05)
    async with running_worker(bus_settings, engine):
        job = builders.job(num_inference_steps=1000)
        async with jobs.follow(job.id, fresh=True) as events:
            await jobs.submit(job)
            async for event in events:
                if isinstance(event, Progress):
                    await jobs.cancel(job.id)
                    break
        other = builders.job(prompt="another", num_inference_steps=1)
        await jobs.submit(other)
        await asyncio.wait_for(finish(jobs, other.id), 10)
        record = await jobs.record(job.id)
    assert record is not None
    assert record.state is JobState.CANCELLED
    assert record.outcome is not None
    assert record.outcome.images == ()


async def test_cancelling_an_ended_job_changes_nothing(bus_settings: BusSettings, jobs: JobClient) -> None:
    """The first outcome stands."""
    async with running_worker(bus_settings, FakeEngine()):
        job = builders.job()
        await jobs.submit(job)
        await asyncio.wait_for(finish(jobs, job.id), 10)
    record = await jobs.cancel(job.id)
    assert record is not None
    assert record.state is JobState.SUCCEEDED


async def test_an_unknown_job_is_none(jobs: JobClient) -> None:
    """Whether asked for or cancelled."""
    assert await jobs.record(new_job_id()) is None
    assert await jobs.cancel(new_job_id()) is None


async def test_a_record_says_where_the_job_is(bus_settings: BusSettings, jobs: JobClient) -> None:
    """Queued, then running with its step, then succeeded; the list agrees."""
    engine = FakeEngine()
    job = builders.job(prompt="gate")
    await jobs.submit(job)
    queued = await jobs.record(job.id)
    assert queued is not None
    assert queued.state is JobState.QUEUED
    async with running_worker(bus_settings, engine):

        async def running() -> bool:
            record = await jobs.record(job.id)
            return record is not None and record.state is JobState.RUNNING

        await eventually(running)
        depth = await jobs.depth("fake")
        assert (depth.waiting, depth.running) == (0, 1)
        engine.gate.set()
        await asyncio.wait_for(finish(jobs, job.id), 10)
    assert [(record.job.id, record.state) for record in await jobs.records()] == [(job.id, JobState.SUCCEEDED)]


async def test_a_failing_engine_fails_its_job_and_lives_on(bus_settings: BusSettings, jobs: JobClient) -> None:
    """The owner reads a reason; the next job is drawn."""
    async with running_worker(bus_settings, FakeEngine()):
        bad, good = builders.job(prompt="fail"), builders.job()
        await jobs.submit(bad)
        await jobs.submit(good)
        failed = (await asyncio.wait_for(finish(jobs, bad.id), 10))[-1]
        drawn = (await asyncio.wait_for(finish(jobs, good.id), 10))[-1]
    assert failed.outcome.state is JobState.FAILED  # type: ignore[attr-defined]
    assert failed.outcome.error.code == "engine_failed"  # type: ignore[attr-defined]
    assert drawn.outcome.state is JobState.SUCCEEDED  # type: ignore[attr-defined]


async def test_a_large_picture_is_split_and_joined(bus_settings: BusSettings, bus: Bus, jobs: JobClient) -> None:
    """A noisy picture of 1600x1600 is larger than one message may be, and than a part."""
    async with running_worker(bus_settings, FakeEngine()):
        job = builders.job(width=1600, height=1600)
        await jobs.submit(job)
        finished = (await asyncio.wait_for(finish(jobs, job.id), 20))[-1]
    (ref,) = finished.outcome.images  # type: ignore[attr-defined]
    assert ref.parts > 1
    assert len(await ImageStore(bus).get(ref)) == ref.size
