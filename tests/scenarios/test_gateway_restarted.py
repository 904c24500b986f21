"""The gateway is killed while jobs run: they finish, and it shows them when it is back."""

from __future__ import annotations

import asyncio

import httpx

from runtime.messaging.settings import BusSettings
from tests.support.fake_engine import FakeEngine
from tests.support.server_sent_events import read_events
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker


async def test_a_killed_gateways_jobs_go_on_and_are_there_when_it_is_back(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """One running, one waiting; a follower resumes where it was."""
    engine = FakeEngine()
    async with start_gateway() as gateway, running_worker(bus_settings, engine):
        await offering(gateway)
        async with httpx.AsyncClient(timeout=30) as http:
            body = {"prompt": "gate", "width": 64, "height": 64}
            jobs = [(await http.post(f"{gateway.url}/generate/async", json=body)).json()["job_id"] for _ in range(2)]
            gateway.kill()
            engine.gate.set()
            gateway.restart()
            await offering(gateway)
            for job in jobs:
                events = [event async for event in read_events(http, f"{gateway.url}/job/{job}/events")]
                assert events[-1].data["state"] == "succeeded"
                assert (await http.get(f"{gateway.url}/job/{job}/image")).status_code == 200
    assert engine.drawn == ["gate", "gate"]


async def test_the_first_sigterm_lets_waiting_clients_have_their_pictures(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """And the process ends with status 0."""
    engine = FakeEngine(step_s=0.1)
    async with start_gateway() as gateway, running_worker(bus_settings, engine):
        await offering(gateway)
        async with httpx.AsyncClient(timeout=30) as http:
            body = {"prompt": "a fox", "width": 64, "height": 64, "num_inference_steps": 10}
            waiting = asyncio.create_task(http.post(f"{gateway.url}/generate", json=body))
            async with asyncio.timeout(10):
                while not engine.drawn:
                    await asyncio.sleep(0.01)
            gateway.process.terminate()
            answer = await waiting
        assert answer.status_code == 200, answer.text
        assert answer.json()["success"] is True
        assert await asyncio.to_thread(gateway.process.wait, 20) == 0
