"""A nats-server as the shipped configuration makes it, with TLS and devices, and links to it that tests can cut."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import trustme
from typer.testing import CliRunner

from cli.__main__ import app
from runtime.messaging.settings import BusSettings
from tests.support.nats_server import START_S, binary, told_port

SHIPPED = Path(__file__).parents[2] / "deploy/nats/hub.conf"


class Hub:
    """`hub.conf` in a folder of its own, on a port of its own; devices are enrolled with the command."""

    def __init__(self, folder: Path, *names: str) -> None:
        """`names`: host names and addresses that its certificate is for, besides localhost."""
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost", "127.0.0.1", *names)
        (folder / "tls").mkdir(parents=True)
        self.ca = folder / "tls/ca.pem"
        authority.cert_pem.write_to_path(str(self.ca))
        certificate.private_key_pem.write_to_path(str(folder / "tls/server.key"))
        certificate.cert_chain_pems[0].write_to_path(str(folder / "tls/server.pem"))
        self.port = -1

    def start(self) -> Hub:
        """Needs a device enrolled, as the server needs its users."""
        shipped = (
            SHIPPED.read_text().replace('"0.0.0.0:4222"', '"0.0.0.0:-1"').replace("127.0.0.1:8222", "127.0.0.1:-1")
        )
        config = self.folder / "hub.conf"
        config.write_text(shipped)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [binary(), "-c", config.name, "--ports_file_dir", "."], cwd=self.folder, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_S
        while (port := self._told_port()) is None:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "nats-server did not start"
            time.sleep(0.005)
        self.port = port
        config.write_text(shipped.replace("0.0.0.0:-1", f"0.0.0.0:{self.port}"))  # a reload must not move it
        return self

    def _told_port(self) -> int | None:
        """None until the server has written both of its files."""
        written = (self.folder / "nats.pid").exists() and (self.folder / "nats.pid").read_text()
        return told_port(self.folder) if written else None

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def enroll(self, name: str, url: str = "tls://localhost:4222") -> Path:
        """The folder that goes to the device."""
        folder = self.folder / name
        words = ["edge", "enroll", name, "--url", url, "--nats", str(self.folder), "--out", str(folder)]
        ended = CliRunner().invoke(app, [*words, "--ca", str(self.ca)])
        assert ended.exit_code == 0, ended.output
        return folder

    def revoke(self, name: str) -> None:
        ended = CliRunner().invoke(app, ["edge", "revoke", name, "--nats", str(self.folder)])
        assert ended.exit_code == 0, ended.output

    def settings(self, key: Path | None = None, port: int = 0) -> BusSettings:
        """Of a gateway, or of the device that holds `key`."""
        return BusSettings(
            url=f"tls://localhost:{port or self.port}",
            nkey=str(key or self.folder / "gateway.nk"),
            ca=str(self.ca),
            ack_wait_s=2.0,
            image_bytes=256 << 20,
            restricted=key is not None,
        )

    def worker_settings(self) -> BusSettings:
        """Of a worker of our own."""
        return msgspec.structs.replace(self.settings(), nkey=str(self.folder / "diffusion.nk"), user="diffusion")

    def device_environment(self, name: str, url: str) -> dict[str, str]:
        """What the bundle of a device says, with its files where they are here."""
        folder = self.folder / name
        lines = (folder / "edge.env").read_text().splitlines()
        given = dict(line.split("=", 1) for line in lines)
        here = {name: value.replace("/etc/pi_axera_sd_generator", str(folder)) for name, value in given.items()}
        return here | {"EASEL_NATS_URL": url, "EASEL_NATS_ACK_WAIT_S": "2"}


@contextlib.contextmanager
def running_hub(folder: Path, *names: str, devices: tuple[str, ...] = ("pi-07",)) -> Iterator[Hub]:
    """A hub with devices enrolled."""
    hub = Hub(folder, *names)
    for name in devices:
        hub.enroll(name)
    try:
        yield hub.start()
    finally:
        hub.stop()
