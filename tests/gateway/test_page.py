"""The page's files and its stream, below the browser."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from contracts.jobs import JobOutcome, JobState
from gateway.api.page.feed import page_of_jobs
from gateway.keys import create_key
from runtime.messaging.connection import Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.job_events import store_outcome
from runtime.messaging.settings import BusSettings
from tests.support import builders
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import GatewayProcess
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

FAST = {"prompt": "a fox", "width": 32, "height": 32, "steps": 1}


@contextlib.asynccontextmanager
async def watching(gateway: GatewayProcess, key: str = "") -> AsyncIterator[AsyncIterator[tuple[str, Any]]]:
    """A page's events, `(name, data)`."""
    headers = {"x-api-key": key} if key else {}

    async def events(answer: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
        name = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: ") and name != "keepalive":
                yield name, json.loads(line.removeprefix("data: "))

    async with httpx.AsyncClient(base_url=gateway.url, timeout=60, headers=headers) as http:
        async with http.stream("GET", "/page/events") as answer:
            assert answer.is_success
            yield events(answer)


async def until(events: AsyncIterator[tuple[str, Any]], name: str, **fields: Any) -> Any:
    """The next event called `name` with these fields."""
    async for said, data in events:
        if said == name and all(data.get(field) == value for field, value in fields.items()):
            return data
    raise AssertionError("the stream ended")


async def test_the_page_is_served_to_everybody_under_a_strict_policy(alone: httpx.AsyncClient) -> None:
    page = await alone.get("/")
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in page.text
    assert "style=" not in page.text


async def test_files_that_the_browser_has_are_not_sent_again(alone: httpx.AsyncClient) -> None:
    first = await alone.get("/web/main.js")
    again = await alone.get("/web/main.js", headers={"if-none-match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert first.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("name", ["nothing.js", "../app.py", "..%2fapp.py", "%2e%2e/app.py", "fonts/LICENSE"])
async def test_nothing_else_can_be_fetched(alone: httpx.AsyncClient, name: str) -> None:
    assert (await alone.get(f"/web/{name}")).status_code == 404


async def test_the_stream_begins_with_everything_and_goes_on_with_every_change(
    bus_settings: BusSettings, start_gateway: StartGateway
) -> None:
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine(), name="painter"):
        await offering(gateway)
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as http:
            first = (await http.post("/generate", json=FAST)).json()["job_id"]
            async with watching(gateway) as events:
                _, hello = await anext(events)
                assert [worker["id"] for worker in hello["workers"]] == ["painter"]
                assert [job["id"] for job in hello["jobs"]] == [first]
                asked = {**FAST, "steps": 3, "num_previews": 1}
                second = (await http.post("/generate/async", json=asked)).json()["job_id"]
                assert (await until(events, "progress", id=second))["total_steps"] == 3
                done = await until(events, "job", id=second, state="succeeded")
                assert len(done["pictures"]) == 1


async def test_a_waiting_job_of_another_gateway_is_told_with_its_place(
    bus_settings: BusSettings, start_gateway: StartGateway
) -> None:
    engine = FakeEngine()
    async with start_gateway() as gateway, start_gateway() as other, running_worker(bus_settings, engine):
        await offering(other)
        async with watching(gateway) as events, httpx.AsyncClient(base_url=other.url, timeout=60) as http:
            for prompt in ("gate", "second", "third"):
                job = (await http.post("/generate/async", json={**FAST, "prompt": prompt})).json()["job_id"]
            assert (await until(events, "job", id=job, ahead=1))["state"] == "queued"
            engine.gate.set()
            await until(events, "job", id=job, state="succeeded")


async def test_nobody_sees_the_jobs_of_another_key(
    bus_settings: BusSettings, start_gateway: StartGateway, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    mine, theirs = create_key(keys, "me"), create_key(keys, "them")
    async with start_gateway(EASEL_GATEWAY_KEYS_FILE=str(keys)) as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway, key=mine)
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as http:
            assert (await http.get("/page/events")).status_code == 401
            assert (await http.get("/page/jobs")).status_code == 401
            await http.post("/generate", json={**FAST, "prompt": "theirs"}, headers={"x-api-key": theirs})
            async with watching(gateway, mine) as events:
                _, hello = await anext(events)
                assert hello["jobs"] == []
                await http.post("/generate", json={**FAST, "prompt": "theirs"}, headers={"x-api-key": theirs})
                await http.post("/generate", json={**FAST, "prompt": "mine"}, headers={"x-api-key": mine})
                async for name, data in events:
                    assert data.get("prompt", "mine") == "mine" if name == "job" else True
                    if name == "job" and data["state"] == "succeeded":
                        break
            older = (await http.get("/page/jobs", headers={"x-api-key": mine})).json()
            assert [job["prompt"] for job in older["jobs"]] == ["mine"]


async def test_older_jobs_come_in_pages(bus_settings: BusSettings, start_gateway: StartGateway) -> None:
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as http:
            for number in range(5):
                await http.post("/generate", json={**FAST, "prompt": f"fox {number}"})
            first = (await http.get("/page/jobs?limit=3")).json()
            rest = (await http.get(f"/page/jobs?before={first['older']}&limit=3")).json()
    assert [job["prompt"] for job in first["jobs"] + rest["jobs"]] == [f"fox {number}" for number in (4, 3, 2, 1, 0)]
    assert rest["older"] is None


async def test_the_way_back_ends_at_the_oldest_job_that_is_kept(bus: Bus, jobs: JobClient) -> None:
    """However many of other owners lie between."""
    total, at_once = 2200, 100
    mine = {0: "the oldest", 1100: "one between", total - 1: "the newest"}
    for first in range(0, total, at_once):
        await asyncio.gather(
            *(store_outcome(bus, "test", ended(mine.get(number))) for number in range(first, first + at_once))
        )
    page, found = await page_of_jobs(jobs, "me", 2), []
    while page.older is not None:
        found += page.jobs
        page = await page_of_jobs(jobs, "me", 2, page.older)
    assert [job.prompt for job in [*found, *page.jobs]] == ["the newest", "one between", "the oldest"]


def ended(prompt: str | None) -> JobOutcome:
    """A job of mine, or without a prompt one of somebody else."""
    job = msgspec.structs.replace(builders.job(prompt=prompt or "theirs"), owner="me" if prompt else "them")
    return JobOutcome(job=job, state=JobState.SUCCEEDED, finished_at=time.time())
