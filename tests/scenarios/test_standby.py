"""A pool without a worker that is on offer all the same: its first job waits for the worker that an autoscaler starts."""

from __future__ import annotations

import asyncio
import contextlib

import httpx

from runtime.messaging.job_client import JobClient
from runtime.messaging.settings import BusSettings
from runtime.process.shutdown import Shutdown
from runtime.worker.settings import WorkerSettings
from services.diffusion.standby import stand_by
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine, fake_model
from tests.support.systems import StartGateway, offering
from tests.support.workers import live, running_worker


async def test_a_job_for_a_pool_at_zero_waits_for_its_first_worker(
    bus_settings: BusSettings, start_gateway: StartGateway, jobs: JobClient
) -> None:
    """It is counted in the pool's queue meanwhile, which is what the autoscaler looks at."""
    shutdown = Shutdown(1.0)
    standing = asyncio.create_task(stand_by((fake_model(),), WorkerSettings(name="stand"), bus_settings, shutdown))
    await live(bus_settings, "stand")
    async with start_gateway() as gateway, httpx.AsyncClient(base_url=gateway.url, timeout=60) as http:
        await offering(gateway)
        drawing = asyncio.create_task(http.post("/v1/images/generations", json={"model": "fake", "prompt": "x"}))

        async def waits() -> bool:
            return (await jobs.depth("fake")).waiting == 1

        await eventually(waits)
        async with running_worker(bus_settings, FakeEngine()):
            assert (await drawing).status_code == 200
    shutdown.soft.set()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(standing, 30)
