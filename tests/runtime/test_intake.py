"""The intake of a cluster: what it takes is seen as queued, goes to its queue once, and another server leads it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator

import pytest
from nats.aio.msg import Msg

from contracts.errors import EaselError
from contracts.events import Queued
from contracts.jobs import Job, JobOutcome, JobState
from contracts.subjects import MOVER
from runtime.messaging.connection import Bus, BusError
from runtime.messaging.intake import accepted_jobs
from runtime.messaging.job_client import JobClient
from runtime.messaging.job_events import store_outcome
from runtime.messaging.leaders import LeaderKeeper
from runtime.messaging.queued_jobs import remove_job, store_job, waiting_jobs
from runtime.messaging.settings import BusSettings
from runtime.messaging.topology import declare
from tests.support import builders
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.intake import leader, moving
from tests.support.nats_cluster import NatsCluster
from tests.support.workers import running_worker

pytestmark = [pytest.mark.xdist_group("intake"), pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsCluster]:
    """Three of them, for the tests of this file."""
    cluster = NatsCluster(tmp_path_factory.mktemp("cluster")).start()
    yield cluster
    cluster.kill()


async def take_in(bus: Bus, job: Job) -> None:
    """As a submission does when the jobs stream has no leader."""
    await store_job(bus, bus.subjects.intake(job.pool, job.id), job)


async def without_jobs_stream(bus: Bus) -> None:
    """Nobody answers whoever submits, as during an election."""
    await bus.api(f"STREAM.DELETE.{bus.subjects.jobs_stream}")


async def emptied(bus: Bus) -> None:
    """Return when the intake holds nothing."""

    async def look() -> bool:
        info = await bus.api(f"STREAM.INFO.{bus.subjects.intake_stream}")
        return bool(info["state"]["messages"] == 0)

    await eventually(look)


async def drawn(jobs: JobClient, job: Job) -> None:
    """Return when it is."""

    async def look() -> bool:
        record = await jobs.record(job.id)
        return record is not None and record.state is JobState.SUCCEEDED

    await eventually(look)


async def test_a_job_is_accepted_while_nobody_leads_the_jobs(bus: Bus, jobs: JobClient) -> None:
    await without_jobs_stream(bus)
    job = builders.job()
    await jobs.submit(job)
    assert await accepted_jobs(bus) == [job]


async def test_a_job_in_the_intake_is_known_as_queued(bus: Bus, jobs: JobClient) -> None:
    job = builders.job()
    await take_in(bus, job)
    record = await jobs.record(job.id)
    assert record is not None
    assert (record.job, record.state) == (job, JobState.QUEUED)
    assert await jobs.unfinished() == await jobs.records() == [record]
    async with jobs.follow(job.id) as events:
        assert await anext(events) == Queued(at=job.created_at)


async def test_jobs_go_to_their_queue_in_the_order_in_which_they_came(bus: Bus, jobs: JobClient) -> None:
    made = [builders.job() for _ in range(5)]
    for job in made:
        await take_in(bus, job)
    async with moving(bus):
        await emptied(bus)
    assert await waiting_jobs(bus, "fake") == made
    assert [record.job for record in await jobs.unfinished()] == made


async def test_a_job_that_came_both_ways_waits_once(bus: Bus, jobs: JobClient) -> None:
    """Its first try was stored, and nobody heard so."""
    job = builders.job()
    await jobs.submit(job)
    await take_in(bus, job)
    assert [record.job for record in await jobs.unfinished()] == [job]
    async with moving(bus):
        await emptied(bus)
    assert await waiting_jobs(bus) == [job]


async def test_a_job_that_came_both_ways_and_was_drawn_is_not_drawn_again(
    bus: Bus, bus_settings: BusSettings, jobs: JobClient
) -> None:
    engine = FakeEngine()
    async with running_worker(bus_settings, engine):
        job, after = builders.job(prompt="first"), builders.job(prompt="after")
        await jobs.submit(job)
        await drawn(jobs, job)
        await take_in(bus, job)
        assert await jobs.unfinished() == []
        async with moving(bus):
            await emptied(bus)
        await jobs.submit(after)
        await drawn(jobs, after)
    assert engine.drawn == ["first", "after"]


async def test_a_stage_that_came_both_ways_and_was_passed_on_is_not_begun_again(bus: Bus, jobs: JobClient) -> None:
    """The job has no outcome yet; the bus knows the stage by its message id."""
    job = builders.job()
    await jobs.submit(job)
    await remove_job(bus, job)
    await take_in(bus, job)
    async with moving(bus):
        await emptied(bus)
    assert await waiting_jobs(bus) == []


async def test_what_has_ended_is_dropped_though_the_bus_forgot_its_message_id(bus: Bus) -> None:
    """A server that starts anew knows the ids of what it still holds, and no others."""
    job = builders.job()
    await store_outcome(bus, "worker", _ended(job, JobState.SUCCEEDED))
    await take_in(bus, job)
    async with moving(bus):
        await emptied(bus)
    assert (await bus.api(f"STREAM.INFO.{bus.subjects.jobs_stream}"))["state"]["last_seq"] == 0


async def test_a_job_cancelled_in_the_intake_is_never_drawn(
    bus: Bus, bus_settings: BusSettings, jobs: JobClient
) -> None:
    cancelled, other = builders.job(prompt="cancelled"), builders.job(prompt="other")
    for job in (cancelled, other):
        await take_in(bus, job)
    record = await jobs.cancel(cancelled.id)
    assert record is not None
    assert record.state is JobState.CANCELLED
    assert await accepted_jobs(bus) == [other]
    engine = FakeEngine()
    async with moving(bus), running_worker(bus_settings, engine):
        await drawn(jobs, other)
    assert engine.drawn == ["other"]


async def test_a_job_cancelled_while_it_is_moved_leaves_its_queue_again(bus: Bus) -> None:
    """Whoever cancels has looked into the queue before it was there."""
    tried = asyncio.Event()

    async def hear(_: Msg) -> None:
        tried.set()

    job = builders.job()
    await without_jobs_stream(bus)
    hearing = await bus.subscribe(bus.subjects.job("*", "*"), hear)
    await take_in(bus, job)
    async with moving(bus):
        async with asyncio.timeout(30):
            await tried.wait()
        await store_outcome(bus, "gateway", _ended(job, JobState.CANCELLED))
        await hearing.unsubscribe()
        await declare(bus)
        await emptied(bus)
    info = await bus.api(f"STREAM.INFO.{bus.subjects.jobs_stream}")
    assert (info["state"]["messages"], info["state"]["last_seq"]) == (0, 1)


async def test_a_full_intake_says_so(bus: Bus, jobs: JobClient) -> None:
    stream = bus.subjects.intake_stream
    config = (await bus.api(f"STREAM.INFO.{stream}"))["config"]
    await bus.api(f"STREAM.UPDATE.{stream}", config | {"max_msgs": 1})
    await without_jobs_stream(bus)
    await jobs.submit(builders.job())
    with pytest.raises(EaselError, match="as many as it may"):
        await jobs.submit(builders.job())


async def test_what_the_jobs_leader_leads_besides_goes_to_another_server(bus: Bus) -> None:
    """Also when two gateways see to it at once."""
    subjects = bus.subjects
    others = [
        (subjects.intake_stream, "STREAM"),
        (f"{subjects.intake_stream}.{MOVER}", "CONSUMER"),
        (subjects.callers_stream, "STREAM"),
    ]
    jobs = await eventually(lambda: leader(bus, subjects.jobs_stream))

    async def together() -> bool:
        for name, kind in others:
            if await leader(bus, name, kind) != jobs:
                with contextlib.suppress(EaselError, BusError):
                    await bus.api(f"{kind}.LEADER.STEPDOWN.{name}", {"placement": {"preferred": jobs}})
        return {await leader(bus, name, kind) for name, kind in others} == {jobs}

    async def apart() -> bool:
        with contextlib.suppress(EaselError):
            await asyncio.gather(LeaderKeeper(bus).look(), LeaderKeeper(bus).look())
        leaders = {await leader(bus, name, kind) for name, kind in others}
        return not leaders & {jobs, ""}

    await eventually(together, 60)
    assert await eventually(apart, 60)
    assert await leader(bus, subjects.jobs_stream) == jobs


def _ended(job: Job, state: JobState) -> JobOutcome:
    return JobOutcome(job=job, state=state, finished_at=time.time(), attempt=1)
