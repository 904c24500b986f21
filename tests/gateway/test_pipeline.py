"""The pipeline dialect over HTTP: every example of its document, and one slot for each key on every gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from gateway.keys import create_key
from runtime.messaging.settings import BusSettings
from tests.gateway.conftest import OpenGateway
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

NOT_NOW = {
    "status": "error",
    "message": "Pipeline execution is already running or pipeline is not initialized.",
}
NOT_YET = {"status": "error", "message": "Pipeline execution is not yet complete."}


async def completed(http: httpx.AsyncClient) -> None:
    async def look() -> bool:
        return bool((await http.get("/pipeline/status")).json() == {"running": False, "completed": True})

    await eventually(look)


async def test_the_documents_examples_in_their_order(http: httpx.AsyncClient, engine: FakeEngine) -> None:
    """Status and text as the document has them."""
    assert (await http.get("/pipeline/status")).json() == {"running": False, "completed": False}
    early = await http.post("/pipeline/run", json={"prompt": "a fox"})
    assert (early.status_code, early.json()) == (409, NOT_NOW)
    prepared = await http.post("/pipeline/select-device", json={"device": "CPU"})
    assert (prepared.status_code, prepared.json()) == (
        200,
        {"status": "success", "message": "Pipeline prepared on CPU."},
    )
    started = await http.post("/pipeline/run", json={"prompt": "gate"})
    assert (started.status_code, started.json()) == (
        200,
        {"status": "success", "message": "Pipeline execution started in background."},
    )
    assert (await http.get("/pipeline/status")).json() == {"running": True, "completed": False}
    for refused in (
        await http.post("/pipeline/run", json={"prompt": "another"}),
        await http.post("/pipeline/select-device", json={"device": "CPU"}),
    ):
        assert (refused.status_code, refused.json()) == (409, NOT_NOW)
    image = await http.get("/pipeline/image")
    assert (image.status_code, image.json()) == (409, NOT_YET)
    engine.gate.set()
    await completed(http)
    image = await http.get("/pipeline/image")
    assert image.headers["content-type"] == "image/png"
    assert image.content.startswith(b"\x89PNG")
    assert (await http.get("/health")).json()["status"] == "healthy"


async def test_choosing_a_device_brings_the_model_into_its_memory(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    engine = FakeEngine()
    async with start_gateway() as gateway, running_worker(bus_settings, engine, preload=()):
        await offering(gateway)
        assert engine.loaded == ()
        async with httpx.AsyncClient(timeout=60) as http:
            prepared = await http.post(f"{gateway.url}/pipeline/select-device", json={"device": "cpu"})
    assert prepared.json() == {"status": "success", "message": "Pipeline prepared on cpu."}
    assert "fake" in engine.was_loaded


async def test_a_device_that_is_not_there_is_refused_with_those_that_are(http: httpx.AsyncClient) -> None:
    refused = await http.post("/pipeline/select-device", json={"device": "GPU"})
    assert refused.status_code == 400
    assert refused.json() == {"status": "error", "message": "no worker runs on 'GPU'; there are: cpu (fake)"}


@pytest.mark.parametrize("body", [{}, {"device": ""}, {"device": 3}])
async def test_a_wrong_body_is_told_in_this_dialect(http: httpx.AsyncClient, body: dict[str, object]) -> None:
    refused = await http.post("/pipeline/select-device", json=body)
    assert refused.status_code == 400
    assert refused.json()["status"] == "error"
    assert "device" in refused.json()["message"]


async def test_a_run_that_failed_says_why(http: httpx.AsyncClient) -> None:
    """Neither running nor complete."""
    await http.post("/pipeline/select-device", json={"device": "CPU"})
    await http.post("/pipeline/run", json={"prompt": "fail"})

    async def ended() -> bool:
        return bool((await http.get("/pipeline/status")).json() == {"running": False, "completed": False})

    await eventually(ended)
    image = await http.get("/pipeline/image")
    assert image.status_code == 409
    assert image.json()["message"].startswith(NOT_YET["message"])
    assert len(image.json()["message"]) > len(NOT_YET["message"])


async def test_of_two_runs_at_once_on_two_gateways_one_is_drawn(
    bus_settings: BusSettings, engine: FakeEngine, open_gateway: OpenGateway
) -> None:
    """The slot is the caller's, wherever it asks."""
    async with running_worker(bus_settings, engine), open_gateway() as first, open_gateway() as second:
        await first.post("/pipeline/select-device", json={"device": "cpu"})
        answers = await asyncio.gather(
            *(http.post("/pipeline/run", json={"prompt": "gate"}) for http in (first, second, first, second))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
        assert (await second.get("/pipeline/status")).json()["running"]
        engine.gate.set()
        await completed(second)
        assert (await first.get("/pipeline/image")).content == (await second.get("/pipeline/image")).content
        states = [job["status"] for job in (await first.get("/jobs")).json()["jobs"]]
        assert states.count("succeeded") == 1
        assert set(states) <= {"succeeded", "cancelled"}


async def test_each_key_has_its_own_slot(
    bus_settings: BusSettings, engine: FakeEngine, open_gateway: OpenGateway, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    mine, other = ({"x-api-key": create_key(keys, name)} for name in ("me", "other"))
    async with running_worker(bus_settings, engine), open_gateway(keys_file=str(keys)) as http:
        await http.post("/pipeline/select-device", json={"device": "cpu"}, headers=mine)
        assert (await http.post("/pipeline/run", json={"prompt": "gate"}, headers=mine)).is_success
        assert (await http.get("/pipeline/status", headers=other)).json() == {"running": False, "completed": False}
        engine.gate.set()
