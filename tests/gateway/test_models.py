"""Models are loaded and unloaded on demand, and a worker moves to the device that a pipeline asks for."""

from __future__ import annotations

import httpx
import pytest

from runtime.messaging.settings import BusSettings
from tests.gateway.conftest import OpenGateway
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine, MovableEngine
from tests.support.server_sent_events import events_in
from tests.support.workers import running_worker


@pytest.fixture
async def engine() -> FakeEngine:
    return MovableEngine(models=("fake", "other"))


async def test_a_model_is_loaded_and_unloaded(http: httpx.AsyncClient, engine: FakeEngine) -> None:
    worker = (await http.get("/workers")).json()["workers"][0]["id"]
    loaded = await http.post("/models/load", json={"model": "other"})
    assert (loaded.status_code, loaded.json()) == (200, {"model": "other", "workers": [worker]})
    assert "other" in engine.loaded

    async def shown() -> bool:
        return (await http.post("/models/unload", json={"model": "other"})).json()["workers"] == [worker]

    await eventually(shown)
    assert "other" not in engine.loaded


async def test_loading_tells_its_stages(http: httpx.AsyncClient) -> None:
    async with http.stream("POST", "/models/load", json={"model": "other", "stream": True}) as answer:
        told = [event async for event in events_in(answer)]
    assert told[-1].name == "loaded"
    assert {"stage": "loading other on cpu (fake)"} in [event.data for event in told if event.name == "stage"]


async def test_a_stream_ends_with_the_reason_when_a_model_cannot_be_loaded(http: httpx.AsyncClient) -> None:
    body = {"model": "other", "device": "tpu", "stream": True}
    async with http.stream("POST", "/models/load", json=body) as answer:
        told = [event async for event in events_in(answer)]
    assert told[-1].name == "error"
    assert "there are cpu, gpu" in told[-1].data["message"]


async def test_a_model_goes_to_the_worker_that_is_named(bus_settings: BusSettings, open_gateway: OpenGateway) -> None:
    engines = {name: MovableEngine(models=("fake", "other")) for name in ("one", "two")}
    async with (
        running_worker(bus_settings, engines["one"], name="one"),
        running_worker(bus_settings, engines["two"], name="two"),
        open_gateway() as http,
    ):
        loaded = await http.post("/models/load", json={"model": "other", "worker": "two"})
    assert loaded.json()["workers"] == ["two"]
    assert [engines["one"].was_loaded, engines["two"].was_loaded] == [["fake"], ["fake", "other"]]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"model": "none"}, 404, "there are: fake, other"),
        ({"model": "fake", "worker": "nobody"}, 404, "no worker 'nobody'; there are: "),
        ({}, 400, "model"),
        ({"model": "fake", "wroker": "x"}, 400, "wroker"),
    ],
)
@pytest.mark.parametrize("route", ["/models/load", "/models/unload"])
async def test_what_cannot_be_done_is_refused_in_words(
    http: httpx.AsyncClient, route: str, body: dict[str, str], status: int, said: str
) -> None:
    refused = await http.post(route, json=body)
    assert refused.status_code == status
    assert said in refused.json()["error"]


async def test_the_worker_moves_to_the_device_that_a_pipeline_asks_for(
    http: httpx.AsyncClient, engine: FakeEngine
) -> None:
    prepared = await http.post("/pipeline/select-device", json={"device": "GPU"})
    assert (prepared.status_code, prepared.json()["message"]) == (200, "Pipeline prepared on GPU.")
    assert (engine.device, engine.loaded) == ("gpu (fake)", ("fake",))


async def test_a_device_that_nobody_has_is_refused_with_those_that_are(http: httpx.AsyncClient) -> None:
    refused = await http.post("/pipeline/select-device", json={"device": "NPU"})
    assert refused.status_code == 400
    assert "there are cpu, gpu" in refused.json()["message"]


async def test_a_worker_that_shares_its_pool_stays_where_it_is(
    bus_settings: BusSettings, open_gateway: OpenGateway
) -> None:
    """Jobs of the pool would be drawn here and there."""
    engines = [MovableEngine(), MovableEngine()]
    async with (
        running_worker(bus_settings, engines[0], pool="shared"),
        running_worker(bus_settings, engines[1], pool="shared"),
        open_gateway() as http,
    ):
        refused = await http.post("/pipeline/select-device", json={"device": "GPU"})
    assert refused.status_code == 400
    assert {engine.device for engine in engines} == {"cpu (fake)"}
