"""The whole system as a new user meets it: `easel up`, then the other commands. Only the drawing is fake."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.cli.processes import ROOT, TinySystem, tiny_system, until

FAKE = {"TINY_SERVICES": "fake", "EASEL_GATEWAY_GRPC_PORT": "0"}
PROMPT = "a red fox in the snow"

pytestmark = pytest.mark.xdist_group("whole")


class Machine:
    """A running system and the command pointed at it."""

    def __init__(self, system: TinySystem) -> None:
        self.system = system
        self.state = system.ready()
        self.environ = {**os.environ, "EASEL_URL": self.state["url"]}

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "cli", *words]
        return subprocess.Popen(command, env=self.environ, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def easel(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        with self.begin(*words) as process:
            out, said = process.communicate(timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, said)

    def jobs(self) -> list[dict[str, Any]]:
        return json.loads(self.easel("jobs", "--json").stdout)["jobs"]

    @contextlib.contextmanager
    def drawing(self, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
        """The command `generate`, and the id of its job once a worker draws it."""
        before = {job["job_id"] for job in httpx.get(f"{self.state['url']}/jobs").json()["jobs"]}
        with self.begin("generate", *words) as process:
            yield process, self.until_running(before)

    def until_running(self, before: set[str]) -> str:
        """Id of a job that a worker draws and that was not there before."""

        def look() -> str:
            listed = httpx.get(f"{self.state['url']}/jobs").json()["jobs"]
            new = (job for job in listed if job["job_id"] not in before)
            return next((job["job_id"] for job in new if job["status"] == "running"), "")

        return until(look)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("up")
    with tiny_system(folder, workers=2, **FAKE, FAKE_STEP_S="0.01", EASEL_NATS_ACK_WAIT_S="2") as system:
        yield Machine(system)
        assert system.end()[0] == 0


def test_generate_writes_a_picture(machine: Machine, tmp_path: Path) -> None:
    ended = machine.easel("generate", PROMPT, "-o", f"{tmp_path}/fox.png", "--seed", "4", "--save-metadata")
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.decode() == f"{tmp_path}/fox.png\n"
    assert (tmp_path / "fox.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "fox.json").read_text())["seed"] == 4


def test_the_lists_know_the_job_the_workers_and_the_model(machine: Machine, tmp_path: Path) -> None:
    job = json.loads(machine.easel("generate", PROMPT, "--json", "-o", str(tmp_path)).stdout)
    assert job["job_id"] in [listed["job_id"] for listed in machine.jobs()]
    assert job["job_id"] in machine.easel("jobs").stdout.decode()
    workers = machine.easel("workers").stdout.decode()
    assert all(name in workers for name in ("diffusion-1", "diffusion-2", "fake"))
    assert "fake" in machine.easel("models").stdout.decode().split()
    assert machine.easel("status").returncode == 0


def test_ctrl_c_cancels_the_job(machine: Machine) -> None:
    with machine.drawing(PROMPT, "--steps", "1000") as (process, job):
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said.decode()) == (130, f"easel: cancelled job {job}\n")
    assert until(lambda: [j for j in machine.jobs() if j["job_id"] == job and j["status"] == "cancelled"])


def test_a_killed_gateway_and_a_killed_worker_cost_nothing_but_time(machine: Machine, tmp_path: Path) -> None:
    with machine.drawing(PROMPT, "--steps", "200", "-o", f"{tmp_path}/fox.png") as (process, _):
        for child in psutil.Process(machine.system.process.pid).children():
            if "nats-server" not in child.name():
                os.kill(child.pid, signal.SIGKILL)
        out, said = process.communicate(timeout=60)
    assert (process.returncode, out.decode(), said) == (0, f"{tmp_path}/fox.png\n", b"")


def test_a_refused_request_ends_with_4_in_one_line(machine: Machine) -> None:
    ended = machine.easel("generate", PROMPT, "--model", "nope")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (4, 1)
    assert b"nope" in ended.stderr


def test_what_was_drawn_is_there_after_a_restart_of_it_all(tmp_path: Path) -> None:
    with tiny_system(tmp_path / "data", workers=1, **FAKE) as system:
        job = json.loads(Machine(system).easel("generate", PROMPT, "--json", "-o", f"{tmp_path}/a.png").stdout)
        assert system.end()[0] == 0
    with tiny_system(tmp_path / "data", workers=1, **FAKE) as system:
        Machine(system).easel("jobs", "watch", job["job_id"], "-o", f"{tmp_path}/b.png")
        assert system.end()[0] == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
