"""The process as systemd and operators meet it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from runtime.messaging.settings import BusSettings
from runtime.worker.settings import WorkerSettings
from services.axera_edge.arguments import parse_arguments
from services.axera_edge.process import EdgeProcess as Process
from services.axera_edge.settings import EdgeSettings
from tests.support.edge_models import edge_engine
from tests.support.edge_process import PROGRAM, EdgeProcess


class Systemd:
    """The socket that systemd listens on."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)

    def hears(self, word: str, within_s: float) -> bool:
        """Whether `word` comes within the time; all before it is forgotten."""
        self._socket.settimeout(within_s)
        with contextlib.suppress(TimeoutError):
            while True:
                if word in self._socket.recv(4096).decode().split("\n"):
                    return True
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    listening = Systemd(tmp_path / "notify")
    yield listening
    listening.close()


def test_systemd_is_told_when_it_is_ready_and_that_it_lives(
    tmp_path: Path, small_model: Path, systemd: Systemd
) -> None:
    watched = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "400000"}
    with EdgeProcess(small_model, tmp_path / "log", **watched) as edge:
        assert systemd.hears("READY=1", 60)
        assert httpx.get(f"{edge.url}/health").is_success
        assert systemd.hears("WATCHDOG=1", 30)
        edge.process.terminate()
        assert systemd.hears("STOPPING=1", 30)
        assert edge.process.wait(30) == 0


async def test_a_card_that_hangs_is_not_kept_alive(
    small_model: Path, systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", systemd.address)
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    engine = edge_engine(small_model)
    feeding = asyncio.create_task(Process(engine, EdgeSettings(), WorkerSettings(), BusSettings())._feed_watchdog())
    assert await asyncio.to_thread(systemd.hears, "WATCHDOG=1", 30)
    answer, hung = threading.Event(), threading.Thread(target=lambda: engine.npu.run(lambda: answer.wait(60)))
    hung.start()
    while await asyncio.to_thread(systemd.hears, "WATCHDOG=1", 1.0):
        pass  # the test's own limit ends this if it never stops
    answer.set()
    hung.join()
    assert await asyncio.to_thread(systemd.hears, "WATCHDOG=1", 30)
    feeding.cancel()


def test_it_serves_alone_while_the_bus_is_away(tmp_path: Path, small_model: Path) -> None:
    away = {"EASEL_EDGE_BUS": "true", "EASEL_NATS_URL": "nats://127.0.0.1:9"}
    with EdgeProcess(small_model, tmp_path / "log", **away) as edge:
        drawn = httpx.post(f"{edge.url}/generate", json={"mode": "txt2img", "prompt": "a fox", "steps": 1}, timeout=60)
        assert drawn.is_success
        assert edge.terminate() == 0


def test_flags_win_over_variables() -> None:
    verb, given = parse_arguments(["doctor", "--port", "5001", "--http", "false", "--model-dir", "/models"])
    assert (verb, given) == ("doctor", {"port": 5001, "http": False, "model_dir": "/models"})


@pytest.mark.parametrize(
    ("settings", "words", "code", "said"),
    [
        ({"EASEL_EDGE_PORT": "many"}, (), 2, "EASEL_EDGE_PORT"),
        ({"EASEL_EDGE_BACKEND": "tpu"}, (), 2, "EASEL_EDGE_BACKEND"),
        ({}, ("--model-dir", "/nowhere"), 1, "RASPBERRY_PI_SETUP.md"),
    ],
)
def test_it_does_not_start_on_a_mistake(settings: dict[str, str], words: tuple[str, ...], code: int, said: str) -> None:
    ended = subprocess.run(
        [sys.executable, str(PROGRAM), *words],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, said in ended.stderr) == (code, True)


def test_an_address_that_is_taken_ends_it(tmp_path: Path, small_model: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with EdgeProcess(small_model, tmp_path / "log", EASEL_EDGE_PORT=port) as edge:
            assert edge.process.wait(60) == 1


def test_nothing_that_trains_or_draws_with_torch_is_loaded(small_model: Path) -> None:
    look = (
        "import sys; from pathlib import Path; from services.axera_edge import __main__, process;"
        "from services.axera_edge.description import find_files; from services.axera_edge.engine import EdgeEngine;"
        "from services.axera_edge.sessions.onnxruntime_sessions import OnnxRuntimeSessions as Sessions;"
        f"EdgeEngine(find_files(Path({str(small_model)!r})), Sessions(1)).load('sd15-lcm');"
        "print(sorted({'torch', 'diffusers', 'transformers'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout
    assert told.strip().endswith("[]")
