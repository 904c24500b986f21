"""Programs that cannot be installed here, by the requests that their published code sends, in its order."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from tests.support.whole_system import System

PNG = b"\x89PNG"


@pytest.fixture
def http(system: System) -> Any:
    with httpx.Client(base_url=system.url, timeout=60) as client:
        yield client


def decoded(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def basic(system: System) -> dict[str, str]:
    """What these programs make of `user:key` in their settings."""
    return {"authorization": "Basic " + base64.b64encode(f"any:{system.key}".encode()).decode()}


def test_open_webui_with_its_automatic1111_engine(http: httpx.Client, system: System) -> None:
    """Verify, list, choose a model by sending all options back, draw with its 50 steps."""
    who = basic(system)
    options = http.get("/sdapi/v1/options", headers=who).json()
    models = http.get("/sdapi/v1/sd-models", headers=who).json()
    assert options["sd_model_checkpoint"] in [model["title"] for model in models]
    options["sd_model_checkpoint"] = models[0]["title"]
    assert http.post("/sdapi/v1/options", json=options, headers=who).status_code == 200
    body = {"prompt": "a fox", "batch_size": 1, "width": 64, "height": 64, "steps": 50, "negative_prompt": "fog"}
    reply = http.post("/sdapi/v1/txt2img", json=body, headers=who).json()
    assert decoded(reply["images"][0]).startswith(PNG)
    assert reply["info"]


def test_open_webui_with_its_openai_engine(http: httpx.Client, system: System) -> None:
    """It reads `url` before `b64_json`, and fetches no private address: there must be none."""
    who = {"authorization": f"Bearer {system.key}"}
    body = {"model": "dall-e-3", "prompt": "a fox", "n": 1, "size": "64x64", "response_format": "b64_json"}
    for changes in ({}, {"model": "gpt-image-1", "response_format": None}):
        sent = {name: value for name, value in (body | changes).items() if value is not None}
        (item,) = http.post("/v1/images/generations", json=sent, headers=who).json()["data"]
        assert "url" not in item
        assert decoded(item["b64_json"]).startswith(PNG)
    edit = http.post(
        "/v1/images/edits",
        data={"model": "gpt-image-1", "prompt": "a hat", "n": "1", "response_format": "b64_json"},
        files={"image": ("image.png", decoded(item["b64_json"]), "image/png")},
        headers=who,
    )
    assert decoded(edit.json()["data"][0]["b64_json"]).startswith(PNG)


def test_librechats_stable_diffusion_tool(http: httpx.Client, system: System) -> None:
    """It keeps the picture only when `info` parses and has infotexts."""
    body = {"prompt": "a fox", "negative_prompt": "fog", "cfg_scale": 4.5, "steps": 22, "width": 1024, "height": 1024}
    reply = http.post("/sdapi/v1/txt2img", json=body, headers=basic(system)).json()
    info = json.loads(reply["info"])
    assert info["infotexts"][0].startswith("a fox\n")
    assert (info["width"], info["height"]) == (1024, 1024)
    assert isinstance(info["seed"], int)


def test_librechats_openai_tool(http: httpx.Client, system: System) -> None:
    """It sends `auto` for everything and reads b64_json alone."""
    body = {"model": "gpt-image-1", "prompt": "a fox", "background": "auto", "quality": "auto", "size": "auto", "n": 1}
    reply = http.post(
        "/v1/images/generations",
        json=body | {"output_format": "webp"},
        headers={"authorization": f"Bearer {system.key}"},
    )
    assert decoded(reply.json()["data"][0]["b64_json"])[8:12] == b"WEBP"


def test_sillytaverns_stable_diffusion_extension(http: httpx.Client, system: System) -> None:
    """Ping, lists, model through options, draw with fields that are its own, interrupt."""
    who = basic(system)
    lists = ("upscalers", "latent-upscale-modes", "sd-vae", "samplers", "schedulers", "sd-models")
    for name in ("options", *lists):
        assert http.get(f"/sdapi/v1/{name}", headers=who).status_code == 200, name
    assert http.post("/sdapi/v1/options", json={"sd_model_checkpoint": "fake"}, headers=who).status_code == 200
    progress = http.get("/sdapi/v1/progress", headers=who).json()
    assert (progress["progress"], progress["state"]["job_count"]) == (0, 0)
    body = {
        "url": system.url,
        "auth": f"any:{system.key}",
        "prompt": "a fox",
        "sampler_name": "Euler a",
        "scheduler": "Karras",
        "steps": 20,
        "cfg_scale": 7,
        "width": 64,
        "height": 64,
        "seed": None,
        "restore_faces": False,
        "enable_hr": False,
        "hr_upscaler": "Latent",
        "hr_scale": 1,
        "hr_second_pass_steps": 0,
        "denoising_strength": 0.7,
        "clip_skip": 1,
        "override_settings": {"CLIP_stop_at_last_layers": 1},
        "override_settings_restore_afterwards": True,
        "save_images": True,
        "send_images": True,
        "do_not_save_grid": False,
        "do_not_save_samples": False,
    }
    answer = http.post("/sdapi/v1/txt2img", json=body, headers=who)
    assert decoded(answer.json()["images"][0]).startswith(PNG)
    assert system.key not in answer.text
    assert http.post("/sdapi/v1/interrupt", headers=who).json() == {}


def test_the_pickers_client(http: httpx.Client, system: System) -> None:
    """Any status but 2xx is a failure to it; it reads images[0]."""
    start = http.post("/generate", json={"mode": "txt2img", "prompt": "a fox"}, headers=basic(system)).json()
    body = {
        "mode": "img2img",
        "prompt": "a hat",
        "negative_prompt": "text",
        "seed": -1,
        "steps": 7,
        "width": 512,
        "height": 512,
        "cfg_scale": 1.5,
        "sampler_name": "DPM++ 2M Karras",
        "denoising_strength": 0.5,
        "n_iter": 1,
        "batch_size": 1,
        "init_image": start["images"][0],
        "init_images": start["images"],
    }
    reply = http.post("/generate", json=body, headers=basic(system)).json()
    assert decoded(reply["images"][0]).startswith(PNG)


def test_an_empty_authorisation_header_counts_as_none(http: httpx.Client) -> None:
    """Open WebUI sends it where no key is set; the answer is 401 and not a fault of ours."""
    for header in ("", "Basic", "Bearer"):
        answer = http.get("/sdapi/v1/options", headers={"authorization": header})
        assert answer.status_code == 401
        assert "an API key is needed" in answer.json()["detail"]
