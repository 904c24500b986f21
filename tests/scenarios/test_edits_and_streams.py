"""OpenAI's edits, variations and streams, with OpenAI's own package."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator

import httpx
import numpy as np
import openai
import pytest
from PIL import Image

from runtime.messaging.settings import BusSettings
from tests.support.fake_engine import FakeEngine
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def opened(encoded: str | None) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(encoded or ""))).convert("RGB")


BLUE = png(Image.new("RGB", (96, 64), "blue"))


@pytest.fixture
async def client(start_gateway: StartGateway, bus_settings: BusSettings) -> AsyncIterator[openai.AsyncOpenAI]:
    """Of a gateway with one worker."""
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as client:
            yield client


async def test_an_edit_starts_from_the_picture_and_has_its_size(client: openai.AsyncOpenAI) -> None:
    kept = await client.images.edit(image=BLUE, prompt="a fox", model="fake", extra_body={"strength": 0})
    assert opened((kept.data or [])[0].b64_json).getcolors() == [(96 * 64, (0, 0, 255))]
    assert kept.size == "96x64"


async def test_a_masks_transparent_pixels_are_painted_and_the_others_kept(client: openai.AsyncOpenAI) -> None:
    mask = Image.new("RGBA", (96, 64), "black")
    mask.paste((0, 0, 0, 0), (0, 0, 48, 64))
    answer = await client.images.edit(image=[BLUE, BLUE], mask=png(mask), prompt="a fox", model="fake")
    drawn = np.asarray(opened((answer.data or [])[0].b64_json))
    assert (drawn[:, 48:] == (0, 0, 255)).all()
    assert not (drawn[:, :48] == (0, 0, 255)).all()


async def test_a_variation_needs_no_prompt(client: openai.AsyncOpenAI) -> None:
    with pytest.deprecated_call():  # by OpenAI; clients still have it
        answer = await client.images.create_variation(image=BLUE, model="fake", n=2, response_format="b64_json")
    assert [opened(item.b64_json).size for item in answer.data or []] == [(96, 64)] * 2


async def test_an_edit_as_json_takes_a_data_url_and_fetches_no_address(client: openai.AsyncOpenAI) -> None:
    body = {"prompt": "a fox", "images": [{"image_url": f"data:image/png;base64,{base64.b64encode(BLUE).decode()}"}]}
    answer = await client.post("/images/edits", body=body, cast_to=httpx.Response)
    assert answer.json()["size"] == "96x64"
    body["images"] = [{"image_url": "http://127.0.0.1/secret.png"}]
    with pytest.raises(openai.BadRequestError, match="nothing is fetched") as caught:
        await client.post("/images/edits", body=body, cast_to=httpx.Response)
    assert caught.value.param == "image"


@pytest.mark.parametrize(
    ("files", "param"),
    [
        ({"image": b"GIF89a"}, "image"),
        ({"image": BLUE, "mask": b"nothing"}, "mask"),
        ({"image": BLUE, "mask": png(Image.new("L", (96, 64), 0))}, "mask"),
        ({"image": BLUE[:60]}, "image"),
    ],
)
async def test_a_picture_that_is_none_is_refused_by_its_name(
    client: openai.AsyncOpenAI, files: dict[str, bytes], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.images.edit(prompt="a fox", model="fake", **files)
    assert caught.value.param == param


async def test_a_form_without_a_picture_says_what_is_missing(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="send it as image"):
        await client.post("/images/edits", body={"prompt": "a fox"}, cast_to=httpx.Response)


async def test_a_form_from_another_sites_page_is_refused(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.PermissionDeniedError):
        await client.images.edit(image=BLUE, prompt="a", model="fake", extra_headers={"Sec-Fetch-Site": "cross-site"})


async def test_a_stream_shows_the_picture_coming_and_then_the_picture(client: openai.AsyncOpenAI) -> None:
    stream = await client.images.generate(
        prompt="a fox", model="fake", size="64x64", stream=True, partial_images=3, extra_body={"steps": 8, "seed": 3}
    )
    events = [event async for event in stream]
    assert [event.type for event in events] == ["image_generation.partial_image"] * 3 + ["image_generation.completed"]
    assert [event.partial_image_index for event in events[:3]] == [0, 1, 2]  # type: ignore[union-attr]
    pictures = [np.asarray(opened(event.b64_json), dtype=float) for event in events]
    distances = [float(np.abs(picture - pictures[-1]).mean()) for picture in pictures]
    assert distances == sorted(distances, reverse=True)
    assert events[-1].usage.output_tokens == 16  # type: ignore[union-attr]


async def test_an_edit_streams_too(client: openai.AsyncOpenAI) -> None:
    stream = await client.images.edit(image=BLUE, prompt="a fox", model="fake", stream=True, partial_images=1)
    kinds = [event.type async for event in stream]
    assert kinds == ["image_edit.partial_image", "image_edit.completed"]


async def test_a_stream_that_fails_raises_the_reason_in_the_client(client: openai.AsyncOpenAI) -> None:
    stream = await client.images.generate(prompt="fail here", model="fake", stream=True)
    with pytest.raises(openai.APIError, match="the model failed"):
        [event async for event in stream]


async def test_a_request_that_is_refused_is_no_stream(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await client.images.generate(prompt="a", model="no-such", stream=True)


async def test_closing_a_stream_cancels_its_job(start_gateway: StartGateway, bus_settings: BusSettings) -> None:
    engine = FakeEngine(step_s=0.02)
    async with start_gateway() as gateway, running_worker(bus_settings, engine):
        await offering(gateway)
        body = {"prompt": "a fox", "stream": True, "partial_images": 3, "steps": 1000, "size": "64x64"}
        async with httpx.AsyncClient(timeout=30) as http:
            async with http.stream("POST", f"{gateway.url}/v1/images/generations", json=body) as answer:
                job = answer.headers["x-easel-job-id"]
            async with http.stream("GET", f"{gateway.url}/job/{job}/events") as answer:
                events = (await answer.aread()).decode()
    assert '"state":"cancelled"' in events
