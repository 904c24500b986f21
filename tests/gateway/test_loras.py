"""LoRAs as clients of each dialect ask for them, and where such requests go."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import httpx
import msgspec
import pytest
from PIL import Image

from contracts.errors import EaselError, ErrorCode
from contracts.images import MAX_LORAS, Lora
from gateway.loras import asked_loras, find_loras, taken_out
from gateway.resolve import Wanted
from gateway.routing import offered_models, route
from gateway.settings import GatewaySettings
from tests.gateway.test_routing import worker
from tests.support.fake_engine import FakeEngine, fake_model

LORAS = ("fog", "styles/ink")
FAKE = fake_model(loras=LORAS)
ALL = {"prompt": "a fox", "width": 64, "height": 64, "seed": 1}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (None, ()),
        ([], ()),
        ("fog", (Lora("fog"),)),
        ("fog:0.5, styles/ink:-1", (Lora("fog", 0.5), Lora("styles/ink", -1.0))),
        (["fog:0.5", Lora("ink")], (Lora("fog", 0.5), Lora("ink"))),
    ],
)
def test_a_body_names_loras_as_objects_or_words(given: Any, meant: tuple[Lora, ...]) -> None:
    assert asked_loras(given) == meant


@pytest.mark.parametrize(
    ("prompt", "rest", "loras"),
    [
        ("a fox", "a fox", ()),
        ("a fox <lora:fog:0.5>", "a fox", (Lora("fog", 0.5),)),
        ("<lora:fog> a fox, <lora:styles/ink:1.2:1.2> red", "a fox,  red", (Lora("fog"), Lora("styles/ink", 1.2))),
        ("a <b> fox <lora:>", "a <b> fox <lora:>", ()),
    ],
)
def test_tags_are_taken_out_of_a_prompt(prompt: str, rest: str, loras: tuple[Lora, ...]) -> None:
    assert taken_out(prompt) == (rest, loras)


@pytest.mark.parametrize("words", ["fog:much", "a:b:c"])
def test_a_weight_that_is_none_is_refused(words: str) -> None:
    with pytest.raises(EaselError, match="NAME or NAME:WEIGHT"):
        asked_loras(words)


def test_a_tag_with_two_weights_is_refused_rather_than_drawn_with_one() -> None:
    with pytest.raises(EaselError, match="one weight"):
        taken_out("a fox <lora:fog:1:0.2>")


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ((Lora("mist"),), ErrorCode.UNSUPPORTED, "fake has no LoRA 'mist'; there are: fog, styles/ink"),
        ((Lora("fog", 11),), ErrorCode.INVALID_REQUEST, "must be -10 … 10, not 11"),
        ((Lora("fog", float("nan")),), ErrorCode.INVALID_REQUEST, "not nan"),
        ((Lora("ink"), Lora("styles/ink")), ErrorCode.INVALID_REQUEST, "named twice"),
        ((Lora("fog"),) * (MAX_LORAS + 1), ErrorCode.INVALID_REQUEST, "takes 8 at most"),
    ],
)
def test_what_cannot_be_is_refused_with_what_there_is(asked: tuple[Lora, ...], code: ErrorCode, said: str) -> None:
    with pytest.raises(EaselError, match=said) as caught:
        find_loras(asked, FAKE)
    assert (caught.value.code, caught.value.param) == (code, "loras")


def test_the_last_part_of_a_name_is_enough_where_no_other_has_it() -> None:
    assert find_loras((Lora("INK", 0.5),), FAKE) == (Lora("styles/ink", 0.5),)
    two = msgspec.structs.replace(FAKE, loras=("dark/ink", "styles/ink"))
    with pytest.raises(EaselError, match=r"which of dark/ink, styles/ink\?"):
        find_loras((Lora("ink"),), two)


def routed(*loras: str) -> str:
    workers = tuple(worker(name, msgspec.structs.replace(FAKE, loras=(name, "both"))) for name in ("left", "right"))
    wanted = Wanted(prompt="a fox", loras=tuple(map(Lora, loras)))
    assert offered_models(workers)["fake"][0].loras == ("both", "left", "right")
    return route(wanted, workers, GatewaySettings(), lambda _: 0).pool


@pytest.mark.parametrize("name", ["left", "right"])
def test_a_request_goes_to_a_worker_that_has_its_loras(name: str) -> None:
    assert routed(name, "both") == name


def test_a_name_that_no_worker_has_is_refused_with_those_of_all() -> None:
    with pytest.raises(EaselError, match="has no LoRA 'up'; there are: both, left, right"):
        routed("up")


def test_loras_that_no_worker_has_together_are_refused() -> None:
    with pytest.raises(EaselError, match="has no LoRA 'right'; there are: left, both"):
        routed("left", "right")


@pytest.fixture
async def engine() -> FakeEngine:
    return FakeEngine(loras=LORAS)


async def pixels(http: httpx.AsyncClient, path: str, **body: Any) -> bytes:
    answer = await http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    reply = answer.json()
    coded = reply["data"][0]["b64_json"] if "data" in reply else reply.get("image_base64") or reply["images"][0]
    return Image.open(io.BytesIO(base64.b64decode(coded))).tobytes()


async def test_every_dialect_draws_the_same_with_the_same_loras(http: httpx.AsyncClient) -> None:
    loras = [{"name": "fog", "weight": 0.5}, {"name": "styles/ink"}]
    scale = {"steps": 3, "guidance_scale": 5.0}
    drawn = {
        await pixels(http, "/v1/images/generations", prompt="a fox", size="64x64", seed=1, loras=loras, **scale),
        await pixels(http, "/generate", **ALL, loras="fog:0.5,ink", **scale),
        await pixels(
            http, "/sdapi/v1/txt2img", **{**ALL, "prompt": "a fox <lora:fog:0.5><lora:ink:1>"}, steps=3, cfg_scale=5
        ),
    }
    assert len(drawn) == 1
    assert drawn != {await pixels(http, "/generate", **ALL, **scale)}


async def test_a_form_names_loras_in_words(http: httpx.AsyncClient) -> None:
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "PNG")
    answer = await http.post(
        "/v1/images/edits", data={"prompt": "a fox", "loras": "mist"}, files={"image": ("a.png", out.getvalue())}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "loras"
    assert "there are: fog, styles/ink" in answer.json()["error"]["message"]


async def test_the_web_uis_answer_and_the_picture_name_the_loras(http: httpx.AsyncClient) -> None:
    body = {**ALL, "prompt": "a fox <lora:ink:0.8>", "steps": 3}
    reply = (await http.post("/sdapi/v1/txt2img", json=body)).json()
    info = json.loads(reply["info"])
    assert info["prompt"] == "a fox <lora:styles/ink:0.8>"
    assert info["infotexts"][0].startswith("a fox <lora:styles/ink:0.8>\nSteps: 3")
    picture = Image.open(io.BytesIO(base64.b64decode(reply["images"][0])))
    assert picture.info["parameters"] == info["infotexts"][0]


async def test_the_web_ui_refuses_a_lora_that_nobody_has(http: httpx.AsyncClient) -> None:
    answer = await http.post("/sdapi/v1/txt2img", json={**ALL, "prompt": "a fox <lora:mist:1>"})
    assert answer.status_code == 422
    assert "no LoRA 'mist'; there are: fog, styles/ink" in answer.json()["detail"]


async def test_the_lists_name_them(http: httpx.AsyncClient) -> None:
    listed = (await http.get("/sdapi/v1/loras")).json()
    assert listed[1] == {
        "name": "styles/ink", "alias": "styles/ink", "path": "styles/ink.safetensors", "metadata": {"models": ["fake"]},
    }  # fmt: skip
    assert (await http.get("/v1/models")).json()["data"][0]["loras"] == ["fog", "styles/ink"]


async def test_a_job_tells_what_it_was_drawn_with(http: httpx.AsyncClient) -> None:
    job = (await http.post("/generate/async", json={**ALL, "loras": ["fog:0.5"]})).json()["job_id"]
    assert (await http.get(f"/job/{job}")).json()["loras"] == [{"name": "fog", "weight": 0.5}]
