"""The gateway on a real bus with a real worker, asked over HTTP."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx
import msgspec

from gateway.keys import create_key
from runtime.messaging.settings import BusSettings
from runtime.process.hardware import Devices
from tests.gateway.conftest import URL, OpenGateway
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine, fake_model
from tests.support.server_sent_events import read_events
from tests.support.workers import running_worker

IMAGES = "/v1/images/generations"
PNG, JPEG, WEBP = b"\x89PNG", b"\xff\xd8\xff", b"RIFF"


async def queued(http: httpx.AsyncClient, **body: Any) -> str:
    answer = await http.post("/generate/async", json={"prompt": "a fox"} | body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/job/{answer.json()['job_id']}"
    return str(answer.json()["job_id"])


async def ended(http: httpx.AsyncClient, job: str) -> dict[str, Any]:
    """The job when it has ended."""
    return [event async for event in read_events(http, f"/job/{job}/events")][-1].data


async def test_sizes_are_rounded_and_the_reply_says_the_real_one(http: httpx.AsyncClient) -> None:
    answer = await http.post(IMAGES, json={"prompt": "a fox", "size": "100x131", "seed": 1})
    assert answer.json()["size"] == "104x128"
    assert base64.b64decode(answer.json()["data"][0]["b64_json"]).startswith(PNG)
    assert answer.headers["x-easel-job-id"] == answer.json()["job_id"]


async def test_links_lead_to_the_same_picture(http: httpx.AsyncClient) -> None:
    body = {"prompt": "a fox", "n": 2, "seed": 3, "size": "64x64"}
    pictures = (await http.post(IMAGES, json=body)).json()["data"]
    links = (await http.post(IMAGES, json=body | {"response_format": "url"})).json()["data"]
    for picture, link in zip(pictures, links, strict=True):
        fetched = await http.get(link["url"])
        assert fetched.headers["content-type"] == "image/png"
        assert fetched.headers["content-disposition"].endswith('.png"')
        assert fetched.content == base64.b64decode(picture["b64_json"])


async def test_pictures_come_in_the_format_asked_for(http: httpx.AsyncClient) -> None:
    for name, magic in (("png", PNG), ("jpeg", JPEG), ("webp", WEBP)):
        answer = await http.post(IMAGES, json={"prompt": "a", "output_format": name, "output_compression": 50})
        assert answer.json()["output_format"] == name
        assert base64.b64decode(answer.json()["data"][0]["b64_json"]).startswith(magic)


async def test_what_is_not_honoured_is_named(http: httpx.AsyncClient) -> None:
    """Accepted all the same; null is no wish."""
    body = {"prompt": "a", "quality": "high", "user": "u", "style": None, "safety_identifier": "s"}
    answer = await http.post(IMAGES, json=body)
    assert answer.status_code == 200
    assert answer.headers["x-easel-ignored"] == "quality, safety_identifier, user"


async def test_the_prompt_assist_dialect_draws(http: httpx.AsyncClient) -> None:
    answer = await http.post(IMAGES, json={"prompt": "a", "use_enhancer": False, "n": 2, "size": "256x256"})
    reply = answer.json()
    assert set(reply) == {"created_at_unix_timestamp", "data"}
    assert [set(item) for item in reply["data"]] == [{"base64_encoded_image", "content_type"}] * 2
    assert base64.b64decode(reply["data"][0]["base64_encoded_image"]).startswith(PNG)


async def test_the_job_service_draws_and_keeps_the_result(http: httpx.AsyncClient) -> None:
    """The reply, the result looked up later, and the file are one picture."""
    reply = (await http.post("/generate", json={"prompt": "a fox", "width": 64, "height": 128, "seed": 42})).json()
    assert (reply["success"], reply["seed"], reply["width"], reply["height"]) == (True, 42, 64, 128)
    later = (await http.get(f"/job/{reply['job_id']}/result")).json()
    assert later == reply
    picture = await http.get(f"/job/{reply['job_id']}/image")
    assert picture.content == base64.b64decode(reply["image_base64"])
    assert (await http.get(f"/job/{reply['job_id']}/image?index=1")).status_code == 404


async def test_a_job_shows_its_progress_and_its_end(http: httpx.AsyncClient, engine: FakeEngine) -> None:
    job = await queued(http, prompt="gate", num_inference_steps=3)
    before = (await http.get(f"/job/{job}")).json()
    assert before["status"] in ("queued", "running")
    assert (await http.get(f"/job/{job}/result")).status_code == 409
    engine.gate.set()
    assert (await ended(http, job))["state"] == "succeeded"
    after = (await http.get(f"/job/{job}")).json()
    assert (after["status"], after["progress"], after["step"]) == ("succeeded", 1.0, 3)


async def test_a_failed_job_says_why_in_every_place(http: httpx.AsyncClient) -> None:
    answer = await http.post("/generate", json={"prompt": "fail"})
    assert (answer.status_code, answer.json()["code"]) == (500, "engine_failed")
    assert answer.headers["x-should-retry"] == "false"
    job = await queued(http, prompt="fail")
    assert (await ended(http, job))["error"]["code"] == "engine_failed"
    assert (await http.get(f"/job/{job}")).json()["code"] == "engine_failed"
    assert (await http.get(f"/job/{job}/result")).json()["code"] == "engine_failed"


async def test_a_cancelled_job_is_cancelled_once_and_its_waiting_client_is_told(
    http: httpx.AsyncClient, engine: FakeEngine
) -> None:
    waiting = asyncio.create_task(http.post("/generate", json={"prompt": "gate"}))

    async def running() -> str:
        jobs = (await http.get("/jobs")).json()["jobs"]
        return jobs[0]["job_id"] if jobs and jobs[0]["status"] == "running" else ""

    job = await eventually(running)
    assert (await http.delete(f"/job/{job}")).json()["status"] == "cancelled"
    assert (await http.delete(f"/job/{job}")).json()["status"] == "cancelled"
    answer = await waiting
    assert (answer.status_code, answer.json()["code"]) == (499, "cancelled")
    engine.gate.set()
    assert (await http.delete("/job/" + "0" * 32)).status_code == 404


async def test_events_resume_after_the_last_one_seen_and_end_for_good(http: httpx.AsyncClient) -> None:
    """204 tells a browser's EventSource to stay away."""
    job = await queued(http)
    whole = [event async for event in read_events(http, f"/job/{job}/events")]
    assert [event.name for event in whole] == ["queued", "started", *["progress"] * 4, "finished"]
    assert len({event.id for event in whole}) == len(whole)
    for seen in range(len(whole) - 1):
        rest = [e async for e in read_events(http, f"/job/{job}/events", last_event_id=whole[seen].id)]
        assert rest == whole[seen + 1 :]
    again = await http.get(f"/job/{job}/events", headers={"last-event-id": whole[-1].id})
    assert again.status_code == 204
    nonsense = [e async for e in read_events(http, f"/job/{job}/events", last_event_id="x")]
    assert nonsense == whole


async def test_an_event_stream_is_neither_cached_nor_collected(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/job/{await queued(http)}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    assert (await http.get("/job/" + "0" * 32 + "/events")).status_code == 404


async def test_a_wait_that_is_too_long_ends_and_the_job_goes_on(
    bus_settings: BusSettings, open_gateway: OpenGateway
) -> None:
    engine = FakeEngine()
    async with running_worker(bus_settings, engine), open_gateway(wait_timeout_s=0.1) as http:
        answer = await http.post(IMAGES, json={"prompt": "gate"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")
        job = (await http.get("/jobs")).json()["jobs"][0]["job_id"]
        assert job in answer.json()["error"]["message"]
        engine.gate.set()
        assert (await ended(http, job))["state"] == "succeeded"


async def test_jobs_are_their_owners_alone(
    bus_settings: BusSettings, open_gateway: OpenGateway, tmp_path: Path
) -> None:
    """To another key they do not exist."""
    path = tmp_path / "keys.json"
    anna, bert = ({"authorization": f"Bearer {create_key(path, name)}"} for name in ("anna", "bert"))
    async with running_worker(bus_settings, FakeEngine()), open_gateway(keys_file=str(path)) as http:
        answer = await http.post("/generate", json={"prompt": "a"}, headers=anna)
        job = answer.json()["job_id"]
        for verb in ("", "/result", "/image", "/events"):
            assert (await http.get(f"/job/{job}{verb}", headers=bert)).status_code == 404
            assert (await http.get(f"/job/{job}{verb}", headers=anna)).status_code == 200
        assert (await http.delete(f"/job/{job}", headers=bert)).status_code == 404
        assert (await http.get("/jobs", headers=bert)).json() == {"jobs": []}
        assert [entry["job_id"] for entry in (await http.get("/jobs", headers=anna)).json()["jobs"]] == [job]
        assert (await http.get("/health")).json() == {"status": "healthy"}


async def test_models_with_a_slash_are_found_either_way(bus_settings: BusSettings, open_gateway: OpenGateway) -> None:
    engine = FakeEngine(models=("org/model", "other"))
    async with running_worker(bus_settings, engine), open_gateway() as http:
        assert [model["id"] for model in (await http.get("/v1/models")).json()["data"]] == ["org/model", "other"]
        for path in ("org/model", "org%2Fmodel"):
            assert (await http.get(f"/v1/models/{path}")).json()["id"] == "org/model"
        missing = await http.get("/v1/models/org/else")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")
        drawn = await http.post(IMAGES, json={"prompt": "a", "model": "gpt-image-1"})
        assert drawn.headers["x-easel-model"] == "org/model"


async def test_a_model_says_what_can_be_done_with_it(http: httpx.AsyncClient, engine: FakeEngine) -> None:
    """What its worker announces, in fields that OpenAI's clients pass over."""
    engine.models = (msgspec.structs.replace(fake_model(), schedulers=("Euler", "DDIM"), allowed_steps=(4, 8)),)

    async def announced() -> dict[str, Any]:
        model = (await http.get("/v1/models/fake")).json()
        return model if model["schedulers"] else {}

    model = await eventually(announced)
    assert (model["object"], model["owned_by"]) == ("model", "easel")
    assert (model["img2img"], model["inpaint"], model["fixed_size"]) == (True, True, False)
    assert (model["schedulers"], model["allowed_steps"]) == (["Euler", "DDIM"], [4, 8])
    assert (model["default_size"], model["min_size"], model["max_size"]) == ("64x64", 8, 2048)


async def test_the_list_of_jobs_has_the_newest_first(http: httpx.AsyncClient) -> None:
    jobs = [await queued(http) for _ in range(3)]
    assert [entry["job_id"] for entry in (await http.get("/jobs")).json()["jobs"]] == jobs[::-1]
    for job in jobs:
        await ended(http, job)


async def test_the_workers_are_listed(http: httpx.AsyncClient) -> None:
    workers = (await http.get("/workers")).json()["workers"]
    assert [(w["service"], w["models"], w["device"], w["slots"]) for w in workers] == [
        ("diffusion", ["fake"], "cpu (fake)", 1)
    ]


async def test_health_tells_what_draws_and_what_waits(http: httpx.AsyncClient) -> None:
    health = (await http.get("/health")).json()
    assert (health["status"], health["model"], health["device"]) == ("healthy", "fake", "cpu (fake)")
    assert health["queue"] == {"waiting": 0, "running": 0, "max_size": 20}
    assert (await http.get("/startupz")).status_code == 200


async def test_health_tells_how_the_graphics_devices_are_doing(
    bus_settings: BusSettings, open_gateway: OpenGateway, tmp_path: Path
) -> None:
    """Each once, though two workers draw with it; by the files of AMD's driver, which need no card to be written."""
    card = tmp_path / "card0/device"
    card.mkdir(parents=True)
    for name, number in (("vram_used", 4 << 30), ("vram_total", 16 << 30)):
        (card / f"mem_info_{name}").write_text(str(number))
    (card / "gpu_busy_percent").write_text("75")
    devices = Devices(tmp_path)
    async with (
        running_worker(bus_settings, FakeEngine(), name="one", devices=devices),
        running_worker(bus_settings, FakeEngine(), name="two", devices=devices),
        open_gateway() as http,
    ):
        found = [gpu for gpu in (await http.get("/health")).json()["gpus"] if gpu["id"] == "card0"]
        listed = (await http.get("/workers")).json()["workers"]
        memory = (await http.get("/sdapi/v1/memory")).json()["cuda"]["system"]
    assert memory["total"] == memory["free"] + memory["used"] > 0
    assert len(found) == 1
    assert (found[0]["memory_used_bytes"], found[0]["memory_bytes"]) == (4 << 30, 16 << 30)
    assert found[0]["utilization"] == 0.75
    assert all("card0" in [device["id"] for device in worker["devices"]] for worker in listed)


async def test_a_worker_that_leaves_makes_the_gateway_unready(
    bus_settings: BusSettings, open_gateway: OpenGateway
) -> None:
    async with running_worker(bus_settings, FakeEngine()) as worker, open_gateway() as http:
        worker.soft.set()

        async def unready() -> bool:
            return (await http.get("/readyz")).status_code == 503

        await eventually(unready)
        assert (await http.get("/readyz")).json()["failed"] == ["workers"]
        refused = await http.post("/generate", json={"prompt": "a"})
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert (await http.get("/livez")).status_code == 200


async def test_without_a_bus_the_process_lives_and_says_what_is_missing(alone: httpx.AsyncClient) -> None:
    assert (await alone.get("/livez")).status_code == 200
    assert (await alone.get("/startupz")).status_code == 503
    ready = await alone.get("/readyz")
    assert (ready.status_code, ready.json()["failed"]) == (503, ["bus"])
    health = await alone.get("/health")
    assert (health.status_code, health.json()["status"]) == (503, "unhealthy")


async def test_links_use_the_public_address_where_there_is_one(
    bus_settings: BusSettings, open_gateway: OpenGateway
) -> None:
    """And the address that was asked where there is none."""
    body = {"prompt": "a", "response_format": "url"}
    async with running_worker(bus_settings, FakeEngine()):
        for settings, base in (
            ({}, URL),
            ({"public_url": "https://draw.example.org/easel/"}, "https://draw.example.org/easel"),
        ):
            async with open_gateway(**settings) as http:
                reply = (await http.post(IMAGES, json=body)).json()
                assert reply["data"][0]["url"] == f"{base}/job/{reply['job_id']}/image?index=0"
