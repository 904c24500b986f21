"""Pictures and bodies made to fill the memory or to keep the gateway busy: refused, cheaply, in every dialect."""

from __future__ import annotations

import base64
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import grpc
import httpx
import pytest

from gateway.rpc import text2image_pb2 as pb
from gateway.rpc.text2image_pb2_grpc import Text2ImageServiceStub
from runtime.messaging.settings import BusSettings
from tests.support import bombs
from tests.support.bombs import chunk, png
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import GatewayProcess
from tests.support.memory import forget_peak, peak_bytes, resident_bytes
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

MOST_BYTES = 50_000_000
MOST_S = 30.0
"""Orders of magnitude, not measurements: benchmarks/hostile.py measures."""
HEADERS, DATA = bombs.refused_by_header(), bombs.refused_in_decoding()
PICTURE = png(64, 64, pixels=bytes(65) * 64)
LARGE = 4 << 20
"""Bytes of a hostile body; what it costs grows with them."""


class System(NamedTuple):
    gateway: GatewayProcess
    http: httpx.AsyncClient
    grpc: Text2ImageServiceStub
    job_id: str


@pytest.fixture
async def system(bus_settings: BusSettings, start_gateway: StartGateway) -> AsyncIterator[System]:
    async with (
        running_worker(bus_settings, FakeEngine()),
        start_gateway() as gateway,
        httpx.AsyncClient(base_url=gateway.url, timeout=MOST_S) as http,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel,
    ):
        await offering(gateway)
        stub = Text2ImageServiceStub(channel)
        answer = await stub.GenerateImage(pb.ImageRequest(prompt="a", width=64, height=64, init_image=PICTURE))
        await http.post("/mcp", json=tool(base64.b64encode(PICTURE).decode()), headers=MCP)  # loads its package
        yield System(gateway, http, stub, answer.job_id)


MCP = {"accept": "application/json, text/event-stream"}


def tool(image: str, **more: str) -> dict[str, Any]:
    call = {"name": "edit_image", "arguments": {"prompt": "a", "image": image, **more}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}


def requests(bomb: bytes, job_id: str) -> dict[str, dict[str, Any]]:
    """Every way over HTTP in which a picture gets in."""
    text, good = base64.b64encode(bomb).decode(), base64.b64encode(PICTURE).decode()
    url, fine = f"data:image/png;base64,{text}", {"image_url": f"data:image/png;base64,{good}"}
    edits = "/v1/images/edits"
    return {
        "openai edit": {"url": edits, "json": {"prompt": "a", "images": [{"image_url": url}]}},
        "openai mask": {"url": edits, "json": {"prompt": "a", "images": [fine], "mask": {"image_url": url}}},
        "openai form": {"url": edits, "data": {"prompt": "a"}, "files": {"image": ("a.png", bomb, "image/png")}},
        "openai variation": {"url": "/v1/images/variations", "files": {"image": ("a.png", bomb, "image/png")}},
        "jobs": {"url": "/generate", "json": {"prompt": "a", "init_image": text}},
        "jobs mask": {"url": "/generate", "json": {"prompt": "a", "init_image": good, "mask_image": text}},
        "mode": {"url": "/generate", "json": {"prompt": "a", "mode": "img2img", "init_image": text}},
        "sdapi": {"url": "/sdapi/v1/img2img", "json": {"prompt": "a", "init_images": [text]}},
        "sdapi mask": {"url": "/sdapi/v1/img2img", "json": {"prompt": "a", "init_images": [good], "mask": text}},
        "mcp": {"url": "/mcp", "json": tool(text), "headers": MCP},
        "mcp mask": {"url": "/mcp", "json": tool(good, mask=text), "headers": MCP},
    }


def queueing(bomb: bytes, job_id: str) -> dict[str, dict[str, Any]]:
    """Those that do not wait for the picture."""
    text = base64.b64encode(bomb).decode()
    return {
        "async": {"url": "/generate/async", "json": {"prompt": "a", "init_image": text or "data:;base64,"}},
        "edit of a job": {"url": f"/job/{job_id}/edit", "json": {"prompt": "a", "init_image": text or "data:;base64,"}},
    }


def refused(answer: httpx.Response) -> bool:
    """In MCP the tool says so, and not the status."""
    if answer.request.url.path == "/mcp":
        return answer.is_success and '"isError":true' in answer.text
    return answer.status_code in (400, 413, 422)


async def cheaply(gateway: GatewayProcess, ask: Callable[[], Any]) -> Any:
    """What `ask` gives, within the bounds."""
    pid, began = gateway.process.pid, time.monotonic()
    before = resident_bytes(pid)
    forget_peak(pid)
    answer = await ask()
    assert time.monotonic() - began < MOST_S
    assert peak_bytes(pid) - before < MOST_BYTES
    return answer


@pytest.mark.parametrize("name", HEADERS)
async def test_what_its_header_gives_away_is_refused_in_every_dialect(system: System, name: str) -> None:
    """Before anything is queued."""
    bomb = HEADERS[name]
    jobs = (await system.http.get("/jobs")).json()
    for dialect, request in (requests(bomb, system.job_id) | queueing(bomb, system.job_id)).items():
        if not bomb and dialect in ("jobs mask", "sdapi mask", "mcp mask", "jobs"):
            continue  # an empty text is none
        answer = await cheaply(system.gateway, lambda request=request: system.http.post(**request))
        assert refused(answer), (dialect, answer.text[:300])
    for fields in ({"init_image": bomb}, {"init_image": PICTURE, "mask_image": bomb}):
        if bomb:
            with pytest.raises(grpc.aio.AioRpcError) as fault:
                await cheaply(system.gateway, lambda fields=fields: _call(system.grpc, **fields))
            assert fault.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (await system.http.get("/jobs")).json() == jobs


async def _call(stub: Text2ImageServiceStub, **fields: Any) -> None:
    await stub.GenerateImage(pb.ImageRequest(prompt="a", width=64, height=64, **fields))


@pytest.mark.parametrize("name", DATA)
async def test_what_only_decoding_shows_is_refused_by_the_worker_in_every_dialect(system: System, name: str) -> None:
    for dialect, request in requests(DATA[name], system.job_id).items():
        answer = await cheaply(system.gateway, lambda request=request: system.http.post(**request))
        assert refused(answer), (dialect, answer.text[:300])
    with pytest.raises(grpc.aio.AioRpcError) as fault:
        await _call(system.grpc, init_image=DATA[name])
    assert fault.value.code() is grpc.StatusCode.INVALID_ARGUMENT


DECODE = """
import os, sys
from PIL import Image
from contracts.errors import EaselError
from runtime.worker.images.inputs import decode_image
from tests.support.builders import generate_image
from tests.support.memory import peak_bytes, resident_bytes
Image.init()
bomb = sys.stdin.buffer.read()
before = resident_bytes(os.getpid())
try:
    decode_image(bomb, generate_image(width=64, height=64))
    said = "decoded"
except EaselError as fault:
    said = fault.code
print(said, peak_bytes(os.getpid()) - before)
"""


@pytest.mark.parametrize("name", [*HEADERS, *DATA])
def test_a_worker_refuses_each_of_them_as_cheaply(name: str) -> None:
    """In a process of its own, whose largest size is then the bomb's doing."""
    bomb, began = (HEADERS | DATA)[name], time.monotonic()
    ended = subprocess.run([sys.executable, "-c", DECODE], input=bomb, capture_output=True, check=True, timeout=60)
    said, grown = ended.stdout.decode().split()
    assert said == "invalid_request"
    assert int(grown) < MOST_BYTES
    assert time.monotonic() - began < MOST_S


def bodies() -> dict[str, tuple[str, bytes]]:
    """Text that takes many times its length in memory, or long to read."""
    many, pieces = b"[]," * (LARGE // 3), b"AA " * (LARGE // 3)
    texts = b"".join(chunk(b"tEXt", b"%d\0" % number) for number in range(LARGE // 18))
    png_info = base64.b64encode(png(64, 64, texts))
    return {
        "lists in a field of another dialect": ("/generate", b'{"prompt":"a","mode":[' + many + b"1]}"),
        "lists in a field that nobody knows": ("/generate", b'{"prompt":"a","x":[' + many + b"1]}"),
        "pictures without end": ("/v1/images/edits", b'{"prompt":"a","images":[' + b"{}," * (LARGE // 3) + b"{}]}"),
        "empty pictures": ("/sdapi/v1/img2img", b'{"prompt":"a","init_images":[' + b'"",' * (LARGE // 3) + b'""]}'),
        "a tool's arguments": ("/mcp", b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[' + many + b"1]}}"),
        "base64 in pieces": ("/generate", b'{"prompt":"a","init_image":"' + pieces + b'"}'),
        "a percent-encoded picture": (
            "/generate",
            b'{"prompt":"a","init_image":"data:,' + b"%41" * (LARGE // 3) + b'"}',
        ),
        "depth": ("/generate", b'{"prompt":"a","x":' + b"[" * LARGE),
        "texts in a PNG": ("/sdapi/v1/png-info", b'{"image":"' + png_info + b'"}'),
        "one text in a PNG": (
            "/sdapi/v1/png-info",
            b'{"image":"' + base64.b64encode(png(64, 64, chunk(b"tEXt", b"parameters\0" + b"\n" * LARGE))) + b'"}',
        ),
    }


BODIES = bodies()


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_takes_no_more_than_a_few_times_its_length(system: System, name: str) -> None:
    path, body = BODIES[name]
    headers = {**MCP, "content-type": "application/json"}
    answer = await cheaply(system.gateway, lambda: system.http.post(path, content=body, headers=headers))
    assert answer.status_code in (200, 400, 413, 422), answer.text[:300]
    assert answer.status_code != 200 or name == "texts in a PNG"


async def test_large_pictures_still_get_in(system: System) -> None:
    """Whose base64 is of millions of characters, in lines as some programs break them."""
    large = base64.encodebytes(png(2000, 2000, chunk(b"tEXt", b"a\0" + b"b" * LARGE), pixels=bytes(2001) * 2000))
    body = {"prompt": "a", "width": 64, "height": 64, "init_image": large.decode()}
    answer = await system.http.post("/generate", json=body)
    assert answer.status_code == 200, answer.text[:300]
