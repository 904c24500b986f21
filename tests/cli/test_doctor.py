"""`easel doctor` on this machine: real processes, no system of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.diffusion.choices import Choice, Choices
from tests.cli.stub_gateway import StubGateway
from tests.support.ports import free_port


def doctor(*words: str, **environ: str) -> tuple[int, dict[str, dict[str, str]], str]:
    """Exit status, findings by name, and stderr."""
    command = [sys.executable, "-m", "cli", "doctor", "--json", *words]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("EASEL_", "NATS_"))}
    quiet = {"EASEL_GATEWAY_GRPC_PORT": str(free_port()), "EASEL_URL": f"http://127.0.0.1:{free_port()}"}
    environment = {**clean, **quiet, **environ}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment, check=False)
    findings = json.loads(ended.stdout)["findings"]
    return ended.returncode, {finding["name"]: finding for finding in findings}, ended.stderr


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


def test_a_machine_that_could_run_easel_has_no_fault() -> None:
    status, found, _ = doctor()
    assert status == 0
    assert {"python", "memory", "disk", "settings", "bus", "gateway", "devices", "engines"} == found.keys()
    assert "'easel up'" in found["gateway"]["advice"]


def test_a_wrong_setting_and_a_bus_that_is_away_are_faults_with_advice() -> None:
    nobody = f"nats://127.0.0.1:{free_port()}"
    status, found, said = doctor(EASEL_DIFFUSION_MODELS="pocet", EASEL_NATS_URL=nobody)
    assert status == 1
    assert "did you mean pocket?" in found["settings"]["said"]
    assert nobody in found["bus"]["said"]
    assert found["bus"]["advice"]
    assert "2 of 8 checks" in said


def test_a_taken_port_is_a_fault_that_names_a_free_one(taken_port: int) -> None:
    status, found, _ = doctor(EASEL_GATEWAY_GRPC_PORT=str(taken_port))
    assert status == 1
    assert f"port {taken_port} is taken" in found["ports"]["said"]
    assert "--grpc-port" in found["ports"]["said"]


def test_a_gateway_that_cannot_draw_says_why(gateway: StubGateway) -> None:
    gateway.routes["GET /readyz"] = lambda r: r.json({"status": "not ready", "reason": "no worker is connected"}, 503)
    status, found, _ = doctor(EASEL_URL=gateway.url)
    assert status == 1
    assert "no worker is connected" in found["gateway"]["said"]


def test_a_gateway_that_draws_is_shown_with_its_workers(gateway: StubGateway) -> None:
    worker = {"id": "painter", "device": "cpu", "models": ["pocket"]}
    gateway.routes["GET /readyz"] = lambda r: r.json({"status": "ready", "failed": []})
    gateway.routes["GET /workers"] = lambda r: r.json({"workers": [worker]})
    status, found, _ = doctor(EASEL_URL=gateway.url)
    assert status == 0
    assert found["workers"]["said"] == "painter on cpu (pocket)"


def test_the_engine_that_was_found_faster_is_shown_with_both_figures(tmp_path: Path) -> None:
    times = {"diffusers": 0.0456, "openvino": 0.0182}
    choices = Choices(tmp_path)
    choices.keep(Choice(model="pocket", circumstances="here", engine="openvino", step_s=times))
    _, found, _ = doctor(EASEL_DIFFUSION_CACHE_DIR=str(tmp_path))
    assert found["engines"]["said"] == "openvino draws pocket, 18 ms a step (diffusers 46 ms)"


def test_an_engine_that_is_asked_for_is_shown_as_such() -> None:
    _, found, _ = doctor(EASEL_DIFFUSION_ENGINE="diffusers")
    assert found["engines"]["said"] == "diffusers draws, as EASEL_DIFFUSION_ENGINE says"
