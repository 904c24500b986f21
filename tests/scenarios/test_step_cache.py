"""A step cache is asked for over HTTP, drawn with, written into the picture, and refused where there is none."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("diffusers")

from PIL import Image

from runtime.messaging.settings import BusSettings
from services.diffusion.catalogue import Catalogue
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from tests.support.systems import StartGateway, offering
from tests.support.torch_fixtures import one_torch_thread, tiny_model  # noqa: F401  fixtures are found by name
from tests.support.workers import serving

pytestmark = [
    pytest.mark.usefixtures("one_torch_thread"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
MODEL = "tiny-stable-diffusion"


@pytest.fixture
async def http(
    bus_settings: BusSettings,
    start_gateway: StartGateway,
    tiny_model: Callable[[str], Path],  # noqa: F811
) -> AsyncIterator[httpx.AsyncClient]:
    """Of a gateway with one worker that draws on torch."""
    engine = DiffusersEngine([Catalogue().find(str(tiny_model("stable-diffusion")))], "cpu")
    async with serving(bus_settings, engine), start_gateway() as gateway:
        await offering(gateway, MODEL)
        async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as client:
            yield client


async def drawn(http: httpx.AsyncClient, **asked: Any) -> bytes:
    body = {"prompt": "a fox", "model": MODEL, "size": "64x64", "seed": 7, "steps": 6, **asked}
    answer = await http.post("/v1/images/generations", json=body)
    assert answer.is_success, answer.text
    return base64.b64decode(answer.json()["data"][0]["b64_json"])


async def test_a_picture_drawn_with_a_step_cache_is_another_and_says_so(http: httpx.AsyncClient) -> None:
    (model,) = (await http.get("/v1/models")).json()["data"]
    assert model["caches"] == ["deepcache:3"]
    plain, cached = await drawn(http), await drawn(http, cache="deepcache")
    pictures = [Image.open(io.BytesIO(data)) for data in (plain, cached)]
    assert pictures[0].tobytes() != pictures[1].tobytes()
    assert "Step cache" not in pictures[0].info["parameters"]
    assert 'Step cache: "deepcache:3"' in pictures[1].info["parameters"]
    newest = (await http.get("/jobs")).json()["jobs"][0]
    assert (await http.get(f"/job/{newest['job_id']}")).json()["cache"] == "deepcache:3"


async def test_a_step_cache_that_the_model_has_not_is_refused_in_the_dialects_words(http: httpx.AsyncClient) -> None:
    body = {"prompt": "a fox", "model": MODEL, "cache": "first_block_cache:0.1"}
    answer = await http.post("/v1/images/generations", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "cache"
    assert "there are: deepcache:3" in answer.json()["error"]["message"]
