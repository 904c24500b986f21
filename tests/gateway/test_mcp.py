"""The tools through the official package's own client, over a real socket."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from typing import Any

import httpx
import pytest
from mcp.client import Client
from PIL import Image

from runtime.messaging.settings import BusSettings
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker


@pytest.fixture
async def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
async def url(bus_settings: BusSettings, engine: FakeEngine, start_gateway: StartGateway) -> Any:
    async with running_worker(bus_settings, engine), start_gateway() as gateway:
        await offering(gateway)
        yield gateway.url


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_picture_comes_as_a_small_jpeg_with_a_link_and_its_steps(url: str, mode: str) -> None:
    """Both generations of the protocol."""
    steps: list[tuple[float, float | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total))

    async with Client(f"{url}/mcp", mode=mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names == ["generate_image", "edit_image", "job_status", "list_models"]
        arguments = {"prompt": "a fox", "seed": 3, "width": 72, "height": 64, "steps": 3}
        result = await client.call_tool("generate_image", arguments, progress_callback=note)
        image, link, text = result.content
        assert not result.is_error
        assert image.mime_type == "image/jpeg"
        drawn = Image.open(io.BytesIO(base64.b64decode(image.data)))
        assert (drawn.format, drawn.size) == ("JPEG", (72, 64))
        assert "seed 3" in text.text
        assert steps[-1] == (3, 3)
        async with httpx.AsyncClient() as http:
            assert (await http.get(link.uri)).content == base64.b64decode(image.data)
        job_id = link.name.removesuffix(".jpg")
        status = await client.call_tool("job_status", {"job_id": job_id})
        assert json.loads(status.content[0].text)["status"] == "succeeded"
        edited = await client.call_tool("edit_image", {"prompt": "a hat", "job_id": job_id, "strength": 0.0})
        assert not edited.is_error, edited.content
        models = await client.call_tool("list_models", {})
        assert json.loads(models.content[0].text)[0]["id"] == "fake"


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("generate_image", {}, "prompt"),
        ("generate_image", {"prompt": "a fox", "model": "none"}, "there are: fake"),
        ("generate_image", {"prompt": "a fox", "colour": "red"}, "colour"),
        ("generate_image", {"prompt": "fail"}, ""),
        ("edit_image", {"prompt": "a fox"}, "job_id or image"),
        ("edit_image", {"prompt": "a fox", "image": "%%"}, "base64"),
        ("job_status", {"job_id": "none"}, "there is no job"),
        ("paint", {}, "there is no tool 'paint'"),
    ],
)
async def test_a_fault_is_an_error_that_the_model_can_read(
    url: str, tool: str, arguments: dict[str, Any], said: str
) -> None:
    async with Client(f"{url}/mcp") as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert said in result.content[0].text


async def test_a_client_that_leaves_ends_its_drawing(url: str, engine: FakeEngine) -> None:
    """Nobody else follows it."""

    async def call() -> None:
        async with Client(f"{url}/mcp") as client:
            await client.call_tool("generate_image", {"prompt": "gate"})

    calling = asyncio.create_task(call())

    async def begun() -> bool:
        return bool(engine.drawn)

    await eventually(begun)
    calling.cancel()
    async with httpx.AsyncClient(base_url=url) as http:

        async def cancelled() -> bool:
            return bool((await http.get("/jobs")).json()["jobs"][0]["status"] == "cancelled")

        await eventually(cancelled)


async def test_openais_form_of_the_tool_takes_what_the_tool_takes(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as http:
        tool = (await http.get("/v1/tools/generate_image")).json()
        assert (await http.get("/mcp")).status_code == 405
    assert tool["type"] == "function"
    assert tool["function"]["name"] == "generate_image"
    parameters = tool["function"]["parameters"]
    assert (parameters["type"], parameters["required"]) == ("object", ["prompt"])
    async with Client(f"{url}/mcp") as client:
        listed = (await client.list_tools()).tools[0].input_schema
    assert listed["properties"] == parameters["properties"]
