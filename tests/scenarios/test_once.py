"""A request that comes twice makes one job."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from runtime.messaging.settings import BusSettings
from tests.support.fake_engine import FakeEngine
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

BODY = {"prompt": "a fox", "size": "64x64"}
KEY = {"Idempotency-Key": "order-66"}


async def post(http: httpx.AsyncClient, url: str, body: dict[str, Any] = BODY, **headers: str) -> httpx.Response:
    return await http.post(f"{url}/v1/images/generations", json=body, headers=headers)


@pytest.mark.parametrize("route", ["/v1/images/generations", "/generate", "/generate/async"])
async def test_the_same_key_is_the_same_job_at_any_gateway(
    start_gateway: StartGateway, bus_settings: BusSettings, route: str
) -> None:
    """Its pictures too, and nothing is drawn again."""
    engine = FakeEngine()
    async with start_gateway() as one, start_gateway() as other, running_worker(bus_settings, engine):
        await asyncio.gather(offering(one), offering(other))
        async with httpx.AsyncClient(timeout=60) as http:
            answers = [await http.post(at.url + route, json={"prompt": "a fox"}, headers=KEY) for at in (one, other)]
            ids = [answer.json()["job_id"] for answer in answers]
            done = await http.get(f"{one.url}/job/{ids[0]}/events")
    assert [answer.is_success for answer in answers] == [True, True]
    assert ids[0] == ids[1]
    assert '"state":"succeeded"' in done.text
    assert engine.drawn == ["a fox"]


async def test_two_at_the_same_moment_with_one_key_share_the_job(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    engine = FakeEngine(step_s=0.02)
    async with start_gateway() as gateway, running_worker(bus_settings, engine):
        await offering(gateway)
        async with httpx.AsyncClient(timeout=60) as http:
            answers = await asyncio.gather(*(post(http, gateway.url, **KEY) for _ in range(4)))
    assert len({answer.json()["data"][0]["b64_json"] for answer in answers}) == 1
    assert engine.drawn == ["a fox"]


async def test_a_key_that_was_used_for_something_else_is_refused(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        async with httpx.AsyncClient(timeout=60) as http:
            await post(http, gateway.url, **KEY)
            refused = await post(http, gateway.url, {"prompt": "a cat"}, **KEY)
    assert refused.status_code == 400
    assert "other parameters" in refused.json()["error"]["message"]


async def test_an_sdks_retry_joins_the_job_that_it_began(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """The connection broke while the job ran; a request that is no retry makes a job of its own."""
    engine = FakeEngine()
    async with start_gateway() as gateway, running_worker(bus_settings, engine):
        await offering(gateway)
        async with httpx.AsyncClient(timeout=60) as http:
            body = BODY | {"prompt": "gate fox"}
            with pytest.raises(httpx.ReadTimeout):
                await http.post(
                    f"{gateway.url}/v1/images/generations",
                    json=body,
                    headers={"x-stainless-retry-count": "0"},
                    timeout=httpx.Timeout(60, read=1.0),
                )
            retry = asyncio.create_task(post(http, gateway.url, body, **{"x-stainless-retry-count": "1"}))
            engine.gate.set()
            answer = await retry
            another = await post(http, gateway.url, body, **{"x-stainless-retry-count": "0"})
    assert answer.json()["data"][0]["b64_json"]
    assert another.json()["job_id"] != answer.json()["job_id"]
    assert engine.drawn == ["gate fox", "gate fox"]


async def test_a_job_is_drawn_again_with_another_seed(start_gateway: StartGateway, bus_settings: BusSettings) -> None:
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        async with httpx.AsyncClient(timeout=60) as http:
            first = (await http.post(f"{gateway.url}/generate", json={"prompt": "a fox", "steps": 3})).json()
            again = (await http.post(f"{gateway.url}/job/{first['job_id']}/retry")).json()
            jobs = [(await http.get(f"{gateway.url}/job/{job['job_id']}")).json() for job in (first, again)]
    assert jobs[0]["seed"] != jobs[1]["seed"]
    assert all(one == other for one, other in ((jobs[0][it], jobs[1][it]) for it in ("prompt", "total_steps", "width")))


async def test_a_finished_picture_is_edited_by_its_job(start_gateway: StartGateway, bus_settings: BusSettings) -> None:
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        async with httpx.AsyncClient(timeout=60) as http:
            first = (await http.post(f"{gateway.url}/generate", json={"prompt": "a fox", "width": 96})).json()
            edit = {"prompt": "a cat", "strength": 0.0}
            job = (await http.post(f"{gateway.url}/job/{first['job_id']}/edit", json=edit)).json()
            await http.get(f"{gateway.url}{job['events_url']}")
            result = (await http.get(f"{gateway.url}{job['result_url']}")).json()
    assert (result["width"], result["prompt"]) == (96, "a cat")


async def test_a_jobs_events_carry_the_previews_that_it_asked_for(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        async with httpx.AsyncClient(timeout=60) as http:
            body = {"prompt": "a fox", "steps": 8, "num_previews": 2, "num_images": 2}
            job = (await http.post(f"{gateway.url}/generate/async", json=body)).json()
            events = (await http.get(f"{gateway.url}{job['events_url']}")).text
    assert events.count('"previews"') == 2
    assert events.count('"content_type":"image/jpeg","data":"/9j/') == 4
