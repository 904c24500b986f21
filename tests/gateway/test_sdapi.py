"""The SD web UI's API over HTTP, on the real bus with a worker that draws noise."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from typing import Any

import httpx
import pytest
from PIL import Image

from gateway.keys import create_key
from tests.gateway.conftest import OpenGateway
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.workers import running_worker

TXT2IMG = "/sdapi/v1/txt2img"


def opened(data: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def picture(side: int = 64, colour: str = "navy") -> str:
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


async def test_the_answer_has_bare_base64_and_an_info_string_that_clients_parse(http: httpx.AsyncClient) -> None:
    """LibreChat reads infotexts[0], seed, width and height; Open WebUI needs `info` to exist."""
    body = {
        "prompt": "a fox",
        "negative_prompt": "fog",
        "width": 72,
        "height": 64,
        "seed": 5,
        "batch_size": 2,
        "steps": 3,
    }
    answer = await http.post(TXT2IMG, json=body)
    assert answer.status_code == 200, answer.text
    reply, info = answer.json(), json.loads(answer.json()["info"])
    assert [opened(image).size for image in reply["images"]] == [(72, 64)] * 2
    assert (info["seed"], info["all_seeds"], info["width"], info["height"]) == (5, [5, 6], 72, 64)
    assert info["infotexts"][0].startswith("a fox\nNegative prompt: fog\nSteps: 3, ")
    assert info["infotexts"] == [opened(image).info["parameters"] for image in reply["images"]]


async def test_unknown_fields_samplers_and_too_many_steps_are_tolerated_and_secrets_not_echoed(
    http: httpx.AsyncClient,
) -> None:
    """SillyTavern sends its own keys along, its password among them."""
    body = {
        "prompt": "a fox",
        "steps": 2**70,
        "cfg_scale": 400,
        "sampler_name": "Euler a",
        "scheduler": "automatic",
        "styles": None,
        "auth": "user:secret",
        "override_settings": {"token": "secret"},
        "alwayson_scripts": {"x": {"args": []}},
        "enable_hr": True,
        "width": None,
    }
    answer = await http.post(TXT2IMG, json=body)
    info = json.loads(answer.json()["info"])
    assert (info["steps"], info["cfg_scale"]) == (1000, 30.0)
    assert "secret" not in answer.text
    assert "no second pass" in answer.headers["x-easel-warning"]


@pytest.mark.parametrize(
    ("route", "body", "status", "said"),
    [
        (TXT2IMG, {"prompt": "a fox", "width": "wide"}, 422, "width"),
        (TXT2IMG, {"prompt": ""}, 422, "prompt"),
        (TXT2IMG, {"prompt": "a fox", "batch_size": 11}, 422, "batch_size"),
        (TXT2IMG, {"prompt": "a fox", "override_settings": {"sd_model_checkpoint": "none"}}, 404, "there are: fake"),
        ("/sdapi/v1/img2img", {"prompt": "a fox"}, 404, "Init image not found"),
        ("/sdapi/v1/img2img", {"prompt": "a fox", "init_images": ["%%"]}, 422, "base64"),
        ("/sdapi/v1/img2img", {"prompt": "a", "init_images": ["http://localhost/a.png"]}, 422, "nothing is fetched"),
        ("/sdapi/v1/options", {"sd_model_checkpoint": "none"}, 404, "there are: fake"),
        ("/sdapi/v1/nowhere", {}, 404, "no such route"),
    ],
)
async def test_failures_have_the_web_uis_shape(
    http: httpx.AsyncClient, route: str, body: Any, status: int, said: str
) -> None:
    """422 is for this dialect alone."""
    answer = await http.post(route, json=body)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error", "detail", "body", "errors"}
    assert said in answer.json()["detail"]


async def test_img2img_starts_from_the_picture_and_a_mask_keeps_the_rest(http: httpx.AsyncClient) -> None:
    """White is painted; inverted, black is."""
    half = Image.new("L", (64, 64), 0)
    half.paste(255, (32, 0, 64, 64))
    out = io.BytesIO()
    half.save(out, "PNG")
    mask = "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
    body = {"prompt": "a fox", "init_images": [picture()], "mask": mask, "denoising_strength": 1, "mask_blur": 0}
    plain, inverted = [
        (await http.post("/sdapi/v1/img2img", json=body | {"inpainting_mask_invert": invert})).json()
        for invert in (0, 1)
    ]
    navy = (0, 0, 128)
    assert plain["parameters"]["init_images"] is None
    assert json.loads(plain["info"])["denoising_strength"] == 1
    for drawn, kept in ((plain, (0, 32)), (inverted, (32, 64))):
        image = opened(drawn["images"][0])
        assert {image.getpixel((x, 9)) == navy for x in range(*kept)} == {True}
        assert {image.getpixel((63 - x, 9)) == navy for x in range(*kept)} != {True}


async def test_progress_shows_the_callers_own_work_and_its_unfinished_picture(
    http: httpx.AsyncClient, engine: FakeEngine
) -> None:
    """Idle is 0 and 0, which is what webuiapi waits for."""
    idle = (await http.get("/sdapi/v1/progress")).json()
    assert (idle["progress"], idle["state"]["job_count"], idle["current_image"]) == (0, 0, None)
    engine.step_s = 0.05
    drawing = asyncio.create_task(http.post(TXT2IMG, json={"prompt": "a fox", "steps": 40}))

    async def shown() -> Any:
        now = (await http.get("/sdapi/v1/progress")).json()
        return now if now["current_image"] else None

    now = await eventually(shown)
    assert 0 < now["progress"] <= 1
    assert now["state"]["job_count"] == 1
    assert now["state"]["sampling_steps"] == 40
    assert opened(now["current_image"]).size == (64, 64)
    assert (await http.get("/sdapi/v1/progress?skip_current_image=true")).json()["current_image"] is None
    assert (await drawing).is_success


async def test_interrupt_ends_the_callers_own_drawings_and_nobody_elses(
    bus_settings: Any, engine: FakeEngine, open_gateway: OpenGateway, tmp_path: Any
) -> None:
    """Another key's drawing, and the caller's job of another dialect, go on."""
    keys = tmp_path / "keys.json"
    mine, other = ({"authorization": f"Bearer {create_key(keys, name)}"} for name in ("me", "other"))
    async with running_worker(bus_settings, engine, slots=1), open_gateway(keys_file=str(keys)) as http:
        job = (await http.post("/generate/async", json={"prompt": "gate"}, headers=mine)).json()["job_id"]
        drawings = [
            asyncio.create_task(http.post(TXT2IMG, json={"prompt": f"a fox {index}"}, headers=headers))
            for index, headers in enumerate((mine, mine, other))
        ]

        async def waiting() -> bool:
            counts = [(await http.get("/sdapi/v1/progress", headers=who)).json() for who in (mine, other)]
            return [count["state"]["job_count"] for count in counts] == [2, 1]

        await eventually(waiting)
        stopped = await http.post("/sdapi/v1/interrupt", headers=mine)
        assert (stopped.status_code, stopped.json()) == (200, {})
        assert [(await drawing).status_code for drawing in drawings[:2]] == [499, 499]
        engine.gate.set()
        assert (await drawings[2]).is_success
        assert (await http.get(f"/job/{job}", headers=mine)).json()["status"] != "cancelled"


async def test_skip_ends_only_the_drawing_at_work(http: httpx.AsyncClient, engine: FakeEngine) -> None:
    first = asyncio.create_task(http.post(TXT2IMG, json={"prompt": "gate"}))

    async def begun() -> bool:
        return bool(engine.drawn)

    await eventually(begun)
    second = asyncio.create_task(http.post(TXT2IMG, json={"prompt": "a fox"}))

    async def both() -> bool:
        return (await http.get("/sdapi/v1/progress")).json()["state"]["job_count"] == 2

    await eventually(both)
    assert (await http.post("/sdapi/v1/skip")).json() is None
    engine.gate.set()
    assert [(await first).status_code, (await second).status_code] == [499, 200]


async def test_the_chosen_model_is_remembered_on_every_gateway(bus_settings: Any, open_gateway: OpenGateway) -> None:
    """Open WebUI posts the whole options object back."""
    engine = FakeEngine(models=("one", "two"))
    async with running_worker(bus_settings, engine), open_gateway() as http, open_gateway() as second:

        async def both() -> bool:
            return len((await second.get("/sdapi/v1/sd-models")).json()) == 2

        await eventually(both)
        before = (await http.get("/sdapi/v1/options")).json()
        assert before["sd_model_checkpoint"] == "one"
        chosen = await http.post("/sdapi/v1/options", json=before | {"sd_model_checkpoint": "two"})
        assert (chosen.status_code, chosen.json()) == (200, None)
        assert (await second.get("/sdapi/v1/options")).json()["sd_model_checkpoint"] == "two"
        drawn = await second.post(TXT2IMG, json={"prompt": "a fox"}, headers={"authorization": ""})
        assert json.loads(drawn.json()["info"])["sd_model_name"] == "two"


@pytest.mark.parametrize(
    "name",
    [
        "sd-models", "samplers", "schedulers", "upscalers", "latent-upscale-modes", "sd-vae", "sd-modules", "loras",
        "embeddings", "hypernetworks", "prompt-styles", "face-restorers", "realesrgan-models", "cmd-flags", "memory",
        "extensions", "scripts", "script-info",
    ],
)  # fmt: skip
async def test_every_list_that_clients_ask_for_answers(http: httpx.AsyncClient, name: str) -> None:
    answer = await http.get(f"/sdapi/v1/{name}")
    assert answer.status_code == 200
    assert isinstance(answer.json(), (list, dict))


async def test_png_info_reads_what_was_drawn(http: httpx.AsyncClient) -> None:
    """Prompts beyond Latin-1 are stored in another kind of chunk."""
    drawn = (await http.post(TXT2IMG, json={"prompt": "ein Fuchs, 狐", "seed": 3})).json()
    told = (await http.post("/sdapi/v1/png-info", json={"image": drawn["images"][0]})).json()
    assert told["info"] == json.loads(drawn["info"])["infotexts"][0]
    assert told["parameters"]["Prompt"] == "ein Fuchs, 狐"
    assert told["parameters"]["Seed"] == "3"
    refused = await http.post("/sdapi/v1/png-info", json={"image": "aGk="})
    assert refused.status_code == 422


async def test_ping_and_refresh_answer(http: httpx.AsyncClient) -> None:
    assert (await http.get("/internal/ping")).json() == {}
    assert (await http.post("/sdapi/v1/refresh-checkpoints")).json() is None


async def test_stable_diffusion_cpps_clients_can_ask_without_a_key_and_name_their_model(
    http: httpx.AsyncClient,
) -> None:
    """SillyTavern's sdcpp source: OPTIONS first, then `model` in the body."""
    assert (await http.request("OPTIONS", "/v1/images/generations")).is_success
    answer = await http.post(TXT2IMG, json={"prompt": "a fox", "model": "fake"})
    assert json.loads(answer.json()["info"])["sd_model_name"] == "fake"
