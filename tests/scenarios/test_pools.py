"""Pools that nobody serves are emptied, those that a device brings are declared, and nobody speaks for another."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import msgspec

from contracts import codec
from contracts.events import EventId, Finished, Started
from contracts.images import InputImage
from contracts.workers import WorkerPresence
from gateway.pools import PoolKeeper
from runtime.messaging.connection import Bus
from runtime.messaging.image_store import ImageStore
from runtime.messaging.job_client import JobClient
from runtime.messaging.job_events import publish_event
from runtime.messaging.presence import Roster, announce
from runtime.messaging.queued_jobs import move_job, waiting_jobs
from runtime.messaging.settings import BusSettings
from runtime.messaging.topology import declare_pool
from tests.support import builders
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine, fake_model
from tests.support.workers import running_worker


def presence(name: str) -> WorkerPresence:
    now = time.time()
    return WorkerPresence(
        id=name,
        service="test",
        pool=name,
        models=(fake_model(),),
        device="cpu",
        slots=1,
        free_slots=1,
        started_at=now,
        sent_at=now,
    )


@contextlib.asynccontextmanager
async def keeping(bus: Bus) -> AsyncIterator[Roster]:
    stop = asyncio.Event()
    async with Roster(bus) as roster:
        keeper = asyncio.create_task(PoolKeeper(bus, roster, "gateway").run(stop))
        yield roster
        stop.set()
        await keeper


async def test_a_device_that_announces_itself_gets_its_pool(bus: Bus, jobs: JobClient) -> None:
    async with keeping(bus):
        await announce(bus, presence("pi-07"))
        await jobs.submit(builders.job(pool="pi-07"))

        async def declared() -> bool:
            return (await jobs.depth("pi-07")).waiting == 1

        await eventually(declared)


async def test_jobs_of_a_pool_that_nobody_serves_are_drawn_by_another(
    bus: Bus, bus_settings: BusSettings, jobs: JobClient
) -> None:
    """Two gateways look after it; the job is drawn once, as its next attempt."""
    engine, job = FakeEngine(), builders.job(pool="pi-07")
    await declare_pool(bus, "pi-07")
    await publish_event(bus, "pi-07", job.id, Started(id=EventId(2, 0), at=time.time(), worker="pi-07"))
    async with asyncio.timeout(60), jobs.follow(job.id, fresh=True) as events:
        await jobs.submit(job)
        async with keeping(bus), keeping(bus), running_worker(bus_settings, engine, name="studio"):
            ends = [event.outcome async for event in events if isinstance(event, Finished)]
    assert [(end.worker, end.attempt, end.job.pool) for end in ends] == [("studio", 3, "fake")]
    assert len(engine.drawn) == 1
    assert await waiting_jobs(bus, "pi-07") == []


async def test_a_moved_job_is_moved_once_however_often_it_is_tried(bus: Bus, jobs: JobClient) -> None:
    job = builders.job(pool="pi-07")
    await jobs.submit(job)
    first, second = await asyncio.gather(*(move_job(bus, "gateway", job, "fake") for _ in range(2)))
    assert first == second == msgspec.structs.replace(job, pool="fake", attempts_before=1)
    assert await waiting_jobs(bus, "fake") == [first]
    back = await move_job(bus, "gateway", first, "pi-07")
    assert await waiting_jobs(bus, "pi-07") == [back]
    assert back.attempts_before == 2


async def test_pictures_to_start_from_come_along(bus: Bus, jobs: JobClient) -> None:
    """Because a device may read those of its own pool only."""
    store, job = ImageStore(bus), builders.job(pool="studio")
    start = await store.put_input("gateway", job, 0, b"a picture")
    job = msgspec.structs.replace(job, stages=(msgspec.structs.replace(job.request, init_image=start),))
    await jobs.submit(job)
    moved = await move_job(bus, "gateway", job, "pi-07")
    brought = moved.request.init_image
    assert isinstance(brought, InputImage)
    assert brought.key.split(".")[1] == "in-pi-07"
    assert await store.get_input(brought) == b"a picture"


async def test_nobody_is_believed_to_be_another(bus: Bus) -> None:
    async with Roster(bus) as roster:
        await bus.publish(bus.subjects.presence("pi-08"), codec.encode(presence("pi-07")))
        await announce(bus, presence("pi-09"))

        async def heard() -> bool:
            return bool(roster.workers())

        await eventually(heard)
        assert [worker.id for worker in roster.workers()] == ["pi-09"]
