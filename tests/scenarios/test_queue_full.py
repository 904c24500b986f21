"""A full queue refuses at once, and says when to come back."""

from __future__ import annotations

import asyncio
import time

import httpx

from runtime.messaging.settings import BusSettings
from tests.support.fake_engine import FakeEngine
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker


async def test_the_queue_takes_its_limit_and_refuses_the_rest_with_retry_after(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """20 wait by default, whatever comes at once; every accepted job is drawn."""
    engine = FakeEngine()
    async with start_gateway() as gateway, running_worker(bus_settings, engine):
        await offering(gateway)
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60, limits=limits) as http:
            body = {"prompt": "gate", "width": 64, "height": 64}
            running = (await http.post("/generate/async", json=body)).json()["job_id"]
            async with asyncio.timeout(10):
                while (await http.get(f"/job/{running}")).json()["status"] != "running":
                    await asyncio.sleep(0.01)
            answers = await asyncio.gather(*(http.post("/generate/async", json=body) for _ in range(64)))
            accepted = [answer.json()["job_id"] for answer in answers if answer.is_success]
            refused = [answer for answer in answers if not answer.is_success]
            assert len(accepted) == 20
            assert {answer.status_code for answer in refused} == {429}
            assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in refused)
            delays = []
            for _ in range(50):
                started = time.perf_counter()
                assert (await http.post("/generate/async", json=body)).status_code == 429
                delays.append(time.perf_counter() - started)
            engine.gate.set()
            for job in accepted:
                async with asyncio.timeout(30):
                    while (await http.get(f"/job/{job}")).json()["status"] != "succeeded":
                        await asyncio.sleep(0.01)
    assert sorted(delays)[len(delays) // 2] < 0.05
    assert len(engine.drawn) == 21
