"""Looking at real processes, and waiting for what nothing announces."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil

T = TypeVar("T")
ROOT = Path(__file__).parents[2]


def until(look: Callable[[], T], within_s: float = 20.0) -> T:
    """The first true answer of `look`."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return found


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class TinySystem:
    """`easel up` on the tiny services, as a process of its own."""

    def __init__(self, data_dir: Path, workers: int = 2, port: int = 0, **environ: str) -> None:
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ}
        command = [sys.executable, "-m", "tests.cli.tiny", str(data_dir), str(workers), str(port)]
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def ready(self) -> dict[str, Any]:
        """The JSON line that it prints when everything runs."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.said_on_failure()
        state: dict[str, Any] = json.loads(line)
        return state

    def pids(self) -> list[int]:
        """Itself and all that descends from it."""
        family = psutil.Process(self.process.pid)
        return [family.pid, *(child.pid for child in family.children(recursive=True))]

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Send a signal; exit status and what it said on stderr."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said

    def said_on_failure(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


@contextlib.contextmanager
def tiny_system(data_dir: Path, workers: int = 2, port: int = 0, **environ: str) -> Iterator[TinySystem]:
    system = TinySystem(data_dir, workers, port, **environ)
    try:
        yield system
    finally:
        if system.process.poll() is None:
            system.process.kill()
        system.process.communicate(timeout=30)
