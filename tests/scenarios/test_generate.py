"""One prompt, over the bus, to a picture, with the client that most people have."""

from __future__ import annotations

import base64
from pathlib import Path

import httpx
import openai
import pytest

from runtime.messaging.settings import BusSettings
from runtime.worker.images.encoder_file import PART_BYTES
from runtime.worker.images.encoding import encode_image
from tests.support import builders
from tests.support.fake_engine import FakeEngine
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

MODULES_THAT_DRAW = {"torch", "numpy", "PIL", "diffusers", "transformers", "openvino"}


async def test_the_openai_package_draws_pictures(start_gateway: StartGateway, bus_settings: BusSettings) -> None:
    """`images.generate` unchanged: size, n, seed as an extra; models listed and retrieved."""
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none") as client:
            result = await client.images.generate(
                model="fake", prompt="a red fox in the snow", size="128x64", n=2, extra_body={"seed": 5, "steps": 3}
            )
            again = await client.images.generate(
                model="fake", prompt="a red fox in the snow", size="128x64", n=2, extra_body={"seed": 5, "steps": 3}
            )
            models = [model.id async for model in await client.models.list()]
            model = await client.models.retrieve("fake")
    pictures = [base64.b64decode(image.b64_json or "") for image in result.data or []]
    assert len(pictures) == 2
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert pictures[0] != pictures[1]
    assert pictures == [base64.b64decode(image.b64_json or "") for image in again.data or []]
    assert result.size == "128x64"
    assert models == ["fake"]
    assert model.id == "fake"


async def test_a_large_picture_is_whole_for_who_waits_and_for_who_fetches_it_elsewhere(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """It travels in parts."""
    request = builders.generate_image(width=704, height=704, seed=5, prompt="a large fox", num_inference_steps=3)
    drawn = encode_image(FakeEngine().generate(request, lambda *_: None)[0], request, 0)
    async with start_gateway() as one, start_gateway() as other, running_worker(bus_settings, FakeEngine()):
        await offering(one)
        async with httpx.AsyncClient(timeout=60) as http:
            asked = {"model": "fake", "prompt": "a large fox", "size": "704x704", "seed": 5, "steps": 3}
            answer = (await http.post(f"{one.url}/v1/images/generations", json=asked)).json()
            fetched = await http.get(f"{other.url}/job/{answer['job_id']}/image")
    assert base64.b64decode(answer["data"][0]["b64_json"]) == drawn
    assert fetched.content == drawn
    assert len(drawn) > 6 * PART_BYTES


async def test_a_model_that_no_worker_has_is_refused_with_those_there_are(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """At once, before anything is queued."""
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as client:
            with pytest.raises(openai.NotFoundError) as caught:
                await client.images.generate(model="sdxl", prompt="a fox")
    assert caught.value.code == "model_not_found"
    assert "fake" in caught.value.message


async def test_without_any_worker_the_answer_is_try_later(start_gateway: StartGateway) -> None:
    """503, which clients retry by themselves."""
    async with start_gateway() as gateway, httpx.AsyncClient() as http:
        answer = await http.post(f"{gateway.url}/v1/images/generations", json={"model": "fake", "prompt": "a fox"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "unavailable"
    assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_the_gateway_loads_nothing_that_draws(start_gateway: StartGateway, bus_settings: BusSettings) -> None:
    """It never touches a pixel, so it needs neither torch nor NumPy nor Pillow: looked up in the running process."""
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        async with httpx.AsyncClient() as http:
            body = {"model": "fake", "prompt": "a fox", "size": "64x64"}
            answer = await http.post(f"{gateway.url}/v1/images/generations", json=body)
        assert answer.status_code == 200, answer.text
        with Path(f"/proc/{gateway.process.pid}/maps").open() as maps:
            mapped = maps.read()
    loaded = {name for name in MODULES_THAT_DRAW if f"site-packages/{name}/" in mapped or f"/{name}." in mapped}
    assert loaded == set()
