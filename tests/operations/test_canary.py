"""A word of a prompt goes through the whole system, every way there is, and is in nothing that operators collect.

It is where it must be: in the job, in its events and outcome, in the picture's own text, and in answers to its owner.
"""

from __future__ import annotations

import base64
import io
import secrets
from pathlib import Path
from typing import Any

import grpc
import httpx
import nats
import pytest
from nats.aio.msg import Msg
from PIL import Image

from gateway.rpc import text2image_pb2 as pb
from runtime.messaging.settings import BusSettings
from tests.operations.collector import Collector
from tests.scenarios.test_grpc import calling
from tests.support.chat_server import ChatServer, as_prompt
from tests.support.enhancers import EnhancerProcess
from tests.support.eventually import eventually
from tests.support.gateways import GatewayProcess
from tests.support.ports import free_port
from tests.support.systems import StartGateway, offering
from tests.support.workers import WorkerProcess, live

SIZE = {"width": 64, "height": 64}


@pytest.fixture
def metrics_ports(monkeypatch: pytest.MonkeyPatch) -> int:
    """The first of those that the processes take."""
    port = free_port()
    monkeypatch.setenv("EASEL_METRICS_PORT", str(port))
    return port


def png() -> str:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def requests(canary: str) -> list[tuple[str, str, dict[str, Any]]]:
    """What a client may send; with the prompt at the front, in the middle, quoted, and where none belongs."""
    prompt, odd = f"a {canary} in a mine", f'a "{canary}" \\ and\na \u00e9{canary}'
    drawn = {"model": "fake", "size": "64x64"}
    return [
        ("POST", "/v1/images/generations", {**drawn, "prompt": prompt}),
        ("POST", "/v1/images/generations", {**drawn, "prompt": odd, "response_format": "url"}),
        ("POST", "/v1/images/generations", {**drawn, "prompt": prompt, "stream": True, "partial_images": 2}),
        ("POST", "/v1/images/generations", {**drawn, "prompt": prompt, "use_enhancer": True}),
        ("POST", "/v1/images/generations", {**drawn, "prompt": f"fail {canary}"}),
        ("POST", "/v1/images/generations", {**drawn, "prompt": f"quote {odd}", "negative_prompt": f"no {canary}"}),
        ("POST", "/v1/images/generations", {**drawn, "prompt": f"{canary}\x00"}),
        ("POST", "/v1/images/generations", {**drawn, "prompt": [canary]}),
        ("POST", "/v1/images/generations", {**drawn, "prompt": f"forbidden {canary}"}),
        ("POST", "/v1/images/generations", {"prompt": prompt, "use_enhancer": True, "n": 1, "size": "512x512"}),
        ("POST", "/v1/images/edits", {**drawn, "prompt": prompt, "images": [{"image_url": png()}]}),
        ("POST", "/generate", {"prompt": prompt, **SIZE}),
        ("POST", "/generate", {"prompt": prompt, "mode": "txt2img", **SIZE}),
        ("POST", "/generate/async", {"prompt": prompt, **SIZE}),
        ("POST", "/sdapi/v1/txt2img", {"prompt": prompt, "negative_prompt": canary, **SIZE}),
        ("POST", "/v1/prompts/enhance", {"prompt": prompt}),
        ("POST", "/v1/chat/images", {"message": f"draw a picture of a {canary}"}),
        ("POST", "/v1/chat/images", {"message": f"what is a {canary}?"}),
    ]


async def ask_everything(gateway: GatewayProcess, canary: str) -> list[httpx.Response]:
    """Every answer, whatever it says; the last job is cancelled while it runs."""
    async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as http:
        answers = [await http.request(method, path, json=body) for method, path, body in requests(canary)]
        gone = await http.post("/generate/async", json={"prompt": f"a {canary}", "steps": 1000, **SIZE})
        answers += [gone, await http.post(f"/job/{gone.json()['job_id']}/cancel")]
        answers += [await http.get("/jobs"), await http.get(f"/job/{gone.json()['job_id']}")]
    async with calling(gateway) as stub:
        request = pb.ImageRequest(prompt=f"a {canary}", **SIZE, num_inference_steps=2)
        assert (await stub.GenerateImage(request)).image
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.GenerateImage(pb.ImageRequest(prompt=f"quote {canary}", **SIZE, num_inference_steps=2))
        assert [event async for event in stub.GenerateImageStream(request)]
    return answers


async def everything_shown(gateway: GatewayProcess, port: int) -> str:
    """All metrics, of all processes."""
    async with httpx.AsyncClient() as http:
        pages = [(await http.get(f"{gateway.url}/metrics")).text]
        for number in range(port, port + 2):
            try:
                pages.append((await http.get(f"http://127.0.0.1:{number}/metrics")).text)
            except httpx.ConnectError:
                continue
    assert len(pages) > 1
    return "\n".join(pages)


async def test_no_prompt_is_in_logs_metrics_traces_subjects_or_headers(
    bus_settings: BusSettings,
    start_gateway: StartGateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    metrics_ports: int,
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    (tmp_path / "words").write_text("forbidden\n")
    monkeypatch.setenv("EASEL_SAFETY_PROMPT_BLOCKLIST", str(tmp_path / "words"))
    canary = f"kanarie{secrets.token_hex(4)}"
    told: list[tuple[str, str]] = []
    carried = 0

    async def overhear(message: Msg) -> None:
        nonlocal carried
        told.append((message.subject + (message.reply or ""), str(message.headers)))
        carried += canary.encode() in message.data

    with Collector() as collector, ChatServer(as_prompt(f"a {canary} in soft morning light")) as model:
        monkeypatch.setenv("EASEL_TELEMETRY_OTLP_ENDPOINT", collector.url)
        bus = await nats.connect(bus_settings.url)
        await bus.subscribe(">", cb=overhear)
        with (
            WorkerProcess(bus_settings, "drawing", log=str(tmp_path / "worker.log")),
            EnhancerProcess(bus_settings, "enhancing", model.url, tmp_path / "enhancer.log"),
        ):
            await live(bus_settings, "enhancing")
            async with start_gateway() as gateway:
                await offering(gateway)
                answers = await ask_everything(gateway, canary)
                model.status = 500
                async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as http:
                    body = {"model": "fake", "prompt": f"a {canary}", "use_enhancer": True, "size": "64x64"}
                    answers.append(await http.post("/v1/images/generations", json=body))
                shown = await everything_shown(gateway, metrics_ports)

                async def traced() -> bool:
                    return "step" in {span.name for span in collector.spans}

                await eventually(traced, 30)
                log = gateway.log_text()
        await bus.close()
    logs = {"gateway": log} | {name: (tmp_path / f"{name}.log").read_text() for name in ("worker", "enhancer")}
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) + statuses.count(202) > 12, statuses
    assert 400 in statuses
    assert carried > 5, "the bus was not overheard"
    assert "[withheld]" in logs["worker"], "the engine quoted the prompt"
    assert {name for name, text in logs.items() if canary in text} == set()
    assert [line for line in shown.splitlines() if canary in line] == []
    assert not any(canary.encode() in body for body in collector.bodies)
    assert [subject for subject, headers in told if canary in subject + headers] == []
    assert [answer.headers for answer in answers if canary in str(answer.headers)] == []
