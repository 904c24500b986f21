"""Gateways for tests: processes of their own, on free ports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from runtime.messaging.settings import BusSettings
from tests.support.bus_environment import bus_environment
from tests.support.ports import free_port


class GatewayProcess:
    """`python -m gateway` on a free port; `settings` are further environment variables."""

    def __init__(self, bus: BusSettings, log: Path, jumpy_clock: bool = False, /, **settings: str) -> None:
        self.port, self.grpc_port = free_port(), free_port()
        self.url = f"{'https' if settings.get('EASEL_GATEWAY_TLS_CERT') else 'http'}://127.0.0.1:{self.port}"
        self._log = log
        self._argv = ["tests.support.jumpy_clock", "gateway"] if jumpy_clock else ["gateway"]
        self._environment = (
            os.environ
            | bus_environment(bus)
            | {
                "EASEL_GATEWAY_PORT": str(self.port),
                "EASEL_GATEWAY_GRPC_PORT": str(self.grpc_port),
            }
            | settings
        )
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as out:
            return subprocess.Popen([sys.executable, "-m", *self._argv], env=self._environment, stdout=out, stderr=out)

    def log_text(self) -> str:
        """What it said."""
        return self._log.read_text()

    def kill(self) -> None:
        """-9, at once."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Begin again on the same port."""
        self.process = self._start()

    def terminate(self) -> int:
        """SIGTERM and wait; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
