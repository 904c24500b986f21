"""Three nats-servers on loopback that keep three copies of every stream; each can be killed and started again."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.nats_server import launch
from tests.support.ports import free_port

START_S = 60.0
SIZE = 3


class NatsCluster:
    """As `NatsServer`, of several: `url` names them all."""

    replicas = SIZE

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = [free_port() for _ in range(3 * SIZE)]
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def names(self) -> list[str]:
        return [f"n{number}" for number in range(SIZE)]

    @property
    def url(self) -> str:
        return ",".join(f"nats://127.0.0.1:{port}" for port in self._ports[:SIZE])

    def start(self) -> NatsCluster:
        """Return when they have a leader."""
        for name in self.names:
            self.start_one(name)
        deadline = time.monotonic() + START_S
        while not all(self._settled(name) for name in self.names):
            for name, process in self._processes.items():
                assert process.poll() is None, (self.folder / f"{name}.log").read_text()
            assert time.monotonic() < deadline, "the cluster elected no leader"
            time.sleep(0.05)
        return self

    def start_one(self, name: str) -> None:
        """With the data and the ports that it had."""
        number = self.names.index(name)
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in self._ports[2 * SIZE :])
        config = self.folder / f"{name}.conf"
        config.write_text(
            f'server_name: {name}\nlisten: "127.0.0.1:{self._ports[number]}"\n'
            f'http: "127.0.0.1:{self._ports[SIZE + number]}"\nmax_payload: 8MB\nmax_pending: 256MB\n'
            f'jetstream {{ store_dir: "{self.folder}/{name}", sync_interval: always, max_file_store: 200GB }}\n'
            f'cluster {{ name: easel, listen: "127.0.0.1:{self._ports[2 * SIZE + number]}", routes: [{routes}] }}\n'
        )
        self._processes[name] = launch(config, self.folder / f"{name}.log")

    def kill_one(self, name: str) -> None:
        """-9."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def signal_one(self, name: str, number: signal.Signals) -> None:
        """Any signal; the server is left to do with it what it does."""
        self._processes[name].send_signal(number)

    def kill(self) -> None:
        for name in list(self._processes):
            self.kill_one(name)

    def _settled(self, name: str) -> bool:
        """Whether a server knows a leader and all of its peers."""
        meta = self._ask(name, "jsz").get("meta_cluster") or {}
        return bool(meta.get("leader")) and meta.get("cluster_size") == SIZE

    def _ask(self, name: str, what: str) -> dict[str, Any]:
        port = self._ports[SIZE + self.names.index(name)]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{what}", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (urllib.error.URLError, OSError):
            return {}
