"""One request is one trace, from HTTP through the bus to the engine's steps; without an address there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from runtime.messaging.settings import BusSettings
from tests.operations.collector import Collector, Span
from tests.support.chat_server import ChatServer, as_prompt
from tests.support.enhancers import EnhancerProcess
from tests.support.eventually import eventually
from tests.support.systems import StartGateway, offering
from tests.support.workers import WorkerProcess, live

PROMPT = "a canary in a coal mine"


def path_to_root(span: Span, spans: list[Span]) -> list[str]:
    """Names from the span up."""
    by_id = {other.id: other for other in spans}
    names = [span.name]
    while span.parent in by_id:
        span = by_id[span.parent]
        names.append(span.name)
    return names


async def test_a_request_is_one_trace_down_to_the_steps(
    bus_settings: BusSettings, start_gateway: StartGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the caller's own trace as its root, the trace's id in the logs, and the prompt in neither."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    log = tmp_path / "worker.log"
    with Collector() as collector:
        monkeypatch.setenv("EASEL_TELEMETRY_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        worker = WorkerProcess(bus_settings, "traced", log=str(log))
        async with start_gateway() as gateway:
            with worker:
                await offering(gateway)
                async with httpx.AsyncClient() as http:
                    answer = await http.post(
                        f"{gateway.url}/v1/images/generations",
                        json={"model": "fake", "prompt": PROMPT},
                        headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"},
                        timeout=60,
                    )
                assert answer.status_code == 200, answer.text

                async def complete() -> bool:
                    names = [span.name for span in collector.spans if span.trace == trace]
                    return "POST /v1/images/generations" in names and "process" in " ".join(names)

                await eventually(complete, 60)
            gateway_log = gateway.log_text()
    spans = [span for span in collector.spans if span.trace == trace]
    steps = [span for span in spans if span.name == "step"]
    assert len(steps) == 4
    assert path_to_root(steps[0], spans) == [
        "step",
        "generate_content fake",
        f"process {bus_settings.namespace}.job",
        f"send {bus_settings.namespace}.job",
        "POST /v1/images/generations",
    ]
    assert {span.service for span in spans} == {"easel-gateway", "easel-diffusion"}
    logged = [json.loads(line) for line in (gateway_log + log.read_text()).splitlines() if line.startswith("{")]
    told = {line["event"] for line in logged if line.get("trace_id") == trace}
    assert {"job accepted", "job ended"} <= told
    assert all("job_id" in line for line in logged if line["event"] in ("job accepted", "job ended"))
    assert not any(PROMPT.encode() in body for body in collector.bodies)
    assert PROMPT not in gateway_log + log.read_text()


async def test_the_trace_of_an_enhanced_picture_shows_every_hop(
    bus_settings: BusSettings, start_gateway: StartGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gateway, enhancer, worker: what the enhancer passes on is part of what it did."""
    with Collector() as collector, ChatServer(as_prompt(f"{PROMPT}, soft morning light")) as server:
        monkeypatch.setenv("EASEL_TELEMETRY_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        with (
            WorkerProcess(bus_settings, "drawing"),
            EnhancerProcess(bus_settings, "enhancing", server.url, tmp_path / "enhancer.log"),
        ):
            await live(bus_settings, "enhancing")
            async with start_gateway() as gateway, httpx.AsyncClient(timeout=60) as http:
                await offering(gateway)
                body = {"model": "fake", "prompt": PROMPT, "use_enhancer": True}
                answer = await http.post(f"{gateway.url}/v1/images/generations", json=body)
                assert answer.status_code == 200, answer.text

                async def complete() -> list[Span]:
                    spans = list(collector.spans)
                    whole = "POST /v1/images/generations" in [span.name for span in spans]
                    paths = [path_to_root(span, spans) for span in spans if span.name == "step"]
                    return spans if whole and paths and len(paths[0]) == 7 else []

                spans = await eventually(complete, 60)
    step = next(span for span in spans if span.name == "step")
    send, process = (f"{verb} {bus_settings.namespace}.job" for verb in ("send", "process"))
    path = ["step", "generate_content fake", process, send, process, send, "POST /v1/images/generations"]
    assert path_to_root(step, spans) == path
    services = {span.service for span in spans if span.trace == step.trace}
    assert services == {"easel-gateway", "easel-enhancer", "easel-diffusion"}
    assert "chat" in {span.name for span in spans if span.trace == step.trace}
    assert not any(PROMPT.encode() in body for body in collector.bodies)


def test_without_an_address_nothing_of_opentelemetry_is_loaded() -> None:
    """Off is free."""
    program = (
        "import sys, gateway.__main__, runtime.worker.run; from runtime.process import telemetry\n"
        "with telemetry.span('x'): assert telemetry.here() == ''\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    environment = {name: value for name, value in os.environ.items() if "OTEL" not in name and "EASEL" not in name}
    said = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
