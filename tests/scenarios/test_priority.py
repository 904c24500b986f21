"""Several machines in one pool: the faster ones first, the slower ones when those are busy; who joins is used at once."""

from __future__ import annotations

import asyncio
import time

from contracts.events import Started
from contracts.jobs import Job
from runtime.messaging.connection import Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.settings import BusSettings
from tests.support import builders
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.workers import running_worker

JOINED_S = 1.0
"""Within which a worker that is ready gets a job that waits; a machine that tests share is given more."""


async def ended(jobs: JobClient, job: Job) -> None:
    async with asyncio.timeout(30), jobs.follow(job.id, fresh=True) as events:
        await jobs.submit(job)
        _ = [event async for event in events]


async def test_jobs_go_to_the_faster_worker_while_it_is_free(bus_settings: BusSettings, jobs: JobClient) -> None:
    """Whichever asked first."""
    fast, slow = FakeEngine(), FakeEngine()
    async with (
        running_worker(bus_settings, slow, name="slow", priority=1),
        running_worker(bus_settings, fast, name="fast"),
    ):
        for number in range(6):
            await ended(jobs, builders.job(prompt=f"picture {number}"))
    assert (len(fast.drawn), len(slow.drawn)) == (6, 0)


async def test_what_the_faster_worker_cannot_take_overflows_to_the_slower(
    bus_settings: BusSettings, jobs: JobClient
) -> None:
    fast, slow = FakeEngine(), FakeEngine()
    async with (
        running_worker(bus_settings, slow, name="slow", priority=1),
        running_worker(bus_settings, fast, name="fast"),
    ):
        await jobs.submit(builders.job(prompt="gate one"))
        await jobs.submit(builders.job(prompt="gate two"))

        async def both_draw() -> bool:
            return len(fast.drawn) == len(slow.drawn) == 1

        await eventually(both_draw)


async def test_a_worker_that_joins_takes_what_waits(bus: Bus, bus_settings: BusSettings, jobs: JobClient) -> None:
    """While the one that was there is busy."""
    busy, joining = FakeEngine(), FakeEngine()
    async with running_worker(bus_settings, busy, name="busy"):
        await jobs.submit(builders.job(prompt="gate"))

        async def taken() -> bool:
            return bool(busy.drawn)

        await eventually(taken)
        waiting = builders.job()
        async with asyncio.timeout(30), jobs.follow(waiting.id, fresh=True) as events:
            await jobs.submit(waiting)
            async with running_worker(bus_settings, joining, name="joining"):
                ready_at = time.time()
                started = [event async for event in events if isinstance(event, Started)]
    assert [event.worker for event in started] == ["joining"]
    assert started[0].at - ready_at < 10 * JOINED_S
