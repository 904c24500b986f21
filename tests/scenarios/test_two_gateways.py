"""Gateways are replicas: what one accepts, another shows, follows and cancels."""

from __future__ import annotations

import httpx

from runtime.messaging.settings import BusSettings
from tests.support.fake_engine import FakeEngine
from tests.support.server_sent_events import read_events
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker


async def test_a_job_of_one_gateway_is_seen_followed_and_fetched_through_another(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """Status, events, list and picture."""
    engine = FakeEngine()
    async with start_gateway() as one, start_gateway() as two, running_worker(bus_settings, engine):
        await offering(one)
        async with httpx.AsyncClient(timeout=30) as http:
            body = {"prompt": "gate", "width": 64, "height": 64}
            job = (await http.post(f"{one.url}/generate/async", json=body)).json()["job_id"]
            status = (await http.get(f"{two.url}/job/{job}")).json()["status"]
            assert status in ("queued", "running")
            early = await http.get(f"{two.url}/job/{job}/result")
            engine.gate.set()
            events = [event async for event in read_events(http, f"{two.url}/job/{job}/events")]
            again = [event async for event in read_events(http, f"{one.url}/job/{job}/events")]
            picture = await http.get(f"{two.url}/job/{job}/image")
            listed = (await http.get(f"{two.url}/jobs")).json()["jobs"]
    assert early.status_code == 409
    assert [event.name for event in events] == ["queued", "started", *["progress"] * 4, "finished"]
    assert events == again
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert [entry["job_id"] for entry in listed] == [job]


async def test_a_follower_resumes_on_another_gateway(start_gateway: StartGateway, bus_settings: BusSettings) -> None:
    """Last-Event-ID means the same everywhere."""
    async with start_gateway() as one, start_gateway() as two, running_worker(bus_settings, FakeEngine()):
        await offering(one)
        async with httpx.AsyncClient(timeout=30) as http:
            body = {"prompt": "a fox", "width": 64, "height": 64}
            job = (await http.post(f"{one.url}/generate/async", json=body)).json()["job_id"]
            whole = [event async for event in read_events(http, f"{one.url}/job/{job}/events")]
            rest = [
                event async for event in read_events(http, f"{two.url}/job/{job}/events", last_event_id=whole[2].id)
            ]
    assert rest == whole[3:]


async def test_a_job_of_one_gateway_is_cancelled_through_another(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """The client that waits at the first is told."""
    engine = FakeEngine(step_s=0.05)
    async with start_gateway() as one, start_gateway() as two, running_worker(bus_settings, engine):
        await offering(one)
        async with httpx.AsyncClient(timeout=30) as http:
            body = {"prompt": "a fox", "width": 64, "height": 64, "num_inference_steps": 1000}
            job = (await http.post(f"{one.url}/generate/async", json=body)).json()["job_id"]
            seen = []
            async for event in read_events(http, f"{one.url}/job/{job}/events"):
                seen.append(event)
                if event.name == "progress" and len(seen) < 5:
                    assert (await http.delete(f"{two.url}/job/{job}")).json()["status"] == "cancelled"
            result = await http.get(f"{one.url}/job/{job}/image")
    assert seen[-1].name == "finished"
    assert seen[-1].data["state"] == "cancelled"
    assert len(seen) < 20
    assert result.status_code == 409
