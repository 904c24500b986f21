"""nats-servers with the configurations in deploy/, moved to loopback and free ports, keys and certificates made anew."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import trustme

from runtime.messaging import first_keys
from runtime.messaging.settings import BusSettings
from runtime.messaging.users import SERVICES, keys_file, make_keys
from tests.support.nats_server import START_S, launch, told_port
from tests.support.ports import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
SIZE = 3


class ShippedBus:
    """Running servers: where they are, and everybody's keys."""

    def __init__(self, url: str, keys: dict[str, Path], logs: list[Path], ca: Path | None = None) -> None:
        self.url = url
        self.keys = keys
        self.ca = ca
        self._logs = logs

    @property
    def tls(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=str(self.ca)) if self.ca else None

    def settings(self, user: str) -> BusSettings:
        """As the manifests give them to a process of this user."""
        return BusSettings(
            url=self.url,
            nkey=str(self.keys[user]),
            ca=str(self.ca or ""),
            user=user if user in {"diffusion", "enhancer"} else "",
            restricted=user == "edge",
            replicas=SIZE if self.ca else 1,
            image_bytes=256 << 20,
        )

    def violations(self) -> list[str]:
        """What the servers refused, in their words."""
        return [line for log in self._logs for line in log.read_text().splitlines() if "Violation" in line]


@contextlib.contextmanager
def compose_bus(folder: Path) -> Iterator[ShippedBus]:
    """compose.conf, with the keys that its one-shot container makes."""
    assert first_keys.main([str(folder / "bus"), "edge"]) == 0
    (folder / "bus/nats").rename(folder / "keys")
    config = (DEPLOY / "nats/compose.conf").read_text()
    for shipped, here in (
        ("0.0.0.0:4222", "127.0.0.1:-1"),
        ("127.0.0.1:8222", "127.0.0.1:-1"),
        ("/data", f"{folder}/data"),
    ):
        assert f'"{shipped}"' in config
        config = config.replace(f'"{shipped}"', f'"{here}"')
    (folder / "easel.conf").write_text(config)
    (folder / "services.conf").write_text((DEPLOY / "nats/services.conf").read_text())
    keys = {name: folder / "bus" / name / "bus.nk" for name in (*SERVICES, "edge")}
    with _server(folder / "easel.conf", folder / "log", "--ports_file_dir", str(folder)) as process:
        port = _when(lambda: told_port(folder), process, folder / "log")
        yield ShippedBus(f"nats://127.0.0.1:{port}", keys, [folder / "log"])


@contextlib.contextmanager
def kubernetes_bus(folder: Path) -> Iterator[ShippedBus]:
    """Three servers with the StatefulSet's nats.conf: TLS for clients and between servers."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1", *(f"nats-{n}.nats" for n in range(SIZE)))
    (folder / "tls").mkdir()
    authority.cert_pem.write_to_path(str(folder / "tls/ca.crt"))
    certificate.private_key_pem.write_to_path(str(folder / "tls/tls.key"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "tls/tls.crt"))
    keys = {name: folder / f"{name}.nk" for name in SERVICES}
    (folder / "keys").mkdir()
    (folder / "keys/keys.conf").write_text(keys_file(make_keys(keys)))
    (folder / "services.conf").write_text((DEPLOY / "kubernetes/base/services.conf").read_text())
    ports = [free_port() for _ in range(3 * SIZE)]
    clients, routes, monitors = ports[:SIZE], ports[SIZE : 2 * SIZE], ports[2 * SIZE :]
    servers = []
    with contextlib.ExitStack() as stack:
        for n in range(SIZE):
            here = {"0.0.0.0:4222": f"127.0.0.1:{clients[n]}", "0.0.0.0:6222": f"127.0.0.1:{routes[n]}"}
            here |= {"0.0.0.0:8222": f"127.0.0.1:{monitors[n]}", "/run/nats/nats.pid": f"{folder}/{n}.pid"}
            here |= {f"nats://nats-{peer}.nats:6222": f"nats://127.0.0.1:{routes[peer]}" for peer in range(SIZE)}
            config = (DEPLOY / "kubernetes/base/nats.conf").read_text()
            for shipped, moved in (here | {"/data": f"{folder}/data-{n}"}).items():
                assert f'"{shipped}"' in config
                config = config.replace(f'"{shipped}"', f'"{moved}"')
            (folder / f"{n}.conf").write_text(config.replace("/etc/nats/tls", f"{folder}/tls"))
            server = _server(folder / f"{n}.conf", folder / f"{n}.log", name=f"nats-{n}")
            servers.append(stack.enter_context(server))
        logs = [folder / f"{n}.log" for n in range(SIZE)]
        for process, log in zip(servers, logs, strict=True):
            _when(lambda: "JetStream cluster new metadata leader" in "".join(map(Path.read_text, logs)), process, log)
        yield ShippedBus(",".join(f"tls://localhost:{port}" for port in clients), keys, logs, folder / "tls/ca.crt")


@contextlib.contextmanager
def _server(config: Path, log: Path, *words: str, name: str = "") -> Iterator[subprocess.Popen[bytes]]:
    process = launch(config, log, *words, POD_NAME=name)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _when(look, process: subprocess.Popen[bytes], log: Path):
    """Poll a file that a server writes; nothing announces it."""
    deadline = time.monotonic() + START_S
    while not (found := look()):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.01)
    return found
