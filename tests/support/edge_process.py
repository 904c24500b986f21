"""The edge as a process of its own, the way its unit starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

PROGRAM = Path(__file__).parents[2] / "services/axera_edge/pi_axera_sd_generator.py"
START_S = 60


class EdgeProcess:
    """`pi_axera_sd_generator` with a model folder; keyword arguments are environment variables."""

    def __init__(self, model: Path, log: Path, *, prefix: tuple[str, ...] = (), **settings: str) -> None:
        self._log = log
        clean = {name: value for name, value in os.environ.items() if not name.startswith("EASEL_")}
        own = {"EASEL_EDGE_MODEL_DIR": str(model), "EASEL_EDGE_PORT": "0", "EASEL_EDGE_THREADS": "1"}
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, str(PROGRAM)], env=clean | own | settings, stdout=out, stderr=out
            )

    @property
    def url(self) -> str:
        """Of its HTTP server, once it listens."""
        line = self.said(lambda it: it.get("event") == "listening")
        return f"http://{line['host']}:{line['port']}"

    def said(self, which: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first line of its log that `which` is true of; waits for it."""
        deadline = time.monotonic() + START_S
        while True:
            for text in self._log.read_text().splitlines():
                if text.startswith("{") and which(line := json.loads(text)):
                    return line
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)

    def log_text(self) -> str:
        return self._log.read_text()

    def terminate(self) -> int:
        """SIGTERM and wait; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
