"""A waiting client hangs up: its job stops, unless somebody else follows it."""

from __future__ import annotations

import asyncio
import contextlib

import httpx

from runtime.messaging.settings import BusSettings
from tests.support.fake_engine import FakeEngine
from tests.support.server_sent_events import read_events
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

BODY = {"prompt": "a fox", "width": 64, "height": 64, "num_inference_steps": 60}


async def waiting_job(http: httpx.AsyncClient, url: str) -> tuple[asyncio.Task[httpx.Response], str]:
    """A request that waits, and the id of its job once it runs."""
    waiting = asyncio.create_task(http.post(f"{url}/generate", json=BODY))
    async with asyncio.timeout(10):
        while True:
            jobs = (await http.get(f"{url}/jobs")).json()["jobs"]
            if jobs and jobs[0]["status"] == "running":
                return waiting, jobs[0]["job_id"]
            await asyncio.sleep(0.01)


async def hang_up(waiting: asyncio.Task[httpx.Response]) -> None:
    """Close the connection of a request."""
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting


async def test_a_job_whose_only_client_went_away_is_cancelled(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """Nobody would see the picture."""
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine(step_s=0.05)):
        await offering(gateway)
        async with httpx.AsyncClient(timeout=30) as http:
            waiting, job = await waiting_job(http, gateway.url)
            await hang_up(waiting)
            events = [event async for event in read_events(http, f"{gateway.url}/job/{job}/events")]
    assert events[-1].data["state"] == "cancelled"
    assert len(events) < 60


async def test_a_job_that_somebody_else_follows_is_finished(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """The follower gets its picture."""
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine(step_s=0.02)):
        await offering(gateway)
        async with httpx.AsyncClient(timeout=30) as http:
            waiting, job = await waiting_job(http, gateway.url)
            seen = []
            async for event in read_events(http, f"{gateway.url}/job/{job}/events"):
                seen.append(event)
                if len(seen) == 3:
                    await hang_up(waiting)
    assert seen[-1].data["state"] == "succeeded"
