"""The way to the bus over TLS, on a real server: what is believed, and what is refused."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.errors import EaselError
from runtime.messaging.connection import Bus
from runtime.messaging.settings import BusSettings
from runtime.messaging.topology import declare
from runtime.process.settings import SettingsError, load
from tests.support.certificates import Certificates, make_certificates
from tests.support.nats_server import START_S, launch, told_port


@contextlib.contextmanager
def server(folder: Path, tls: str = "") -> Iterator[int]:
    """The port of one that runs while the block does."""
    folder.mkdir(parents=True, exist_ok=True)
    config = f'listen: "127.0.0.1:-1"\njetstream {{ store_dir: "{folder}/js" }}\n' + (
        f"tls {{ {tls} }}\n" if tls else ""
    )
    (folder / "nats.conf").write_text(config)
    process = launch(folder / "nats.conf", folder / "log", "--ports_file_dir", str(folder))
    try:
        deadline = time.monotonic() + START_S
        while (port := told_port(folder)) is None:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "nats-server did not start"
            time.sleep(0.005)
        yield port
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "certificates")


def serving(made: Certificates) -> str:
    return f'cert_file: "{made.cert}", key_file: "{made.key}"'


async def refusal(settings: BusSettings) -> str:
    with pytest.raises(EaselError) as raised:
        async with Bus.connect(settings, "test", 3):
            pass
    return raised.value.message


async def test_with_its_authority_the_bus_is_used_over_tls(made: Certificates, tmp_path: Path) -> None:
    with server(tmp_path / "nats", serving(made)) as port:
        async with Bus.connect(BusSettings(url=f"tls://localhost:{port}", ca=str(made.ca)), "test") as bus:
            await declare(bus)
            assert await bus.store(bus.subjects.outcome("test", "job"), bytes(1 << 19), message_id="x")


async def test_a_server_of_an_unknown_authority_is_refused(made: Certificates, tmp_path: Path) -> None:
    other = make_certificates(tmp_path / "other")
    with server(tmp_path / "nats", serving(made)) as port:
        for ca in ("", str(other.ca)):
            assert "certificate verify failed" in await refusal(BusSettings(url=f"tls://localhost:{port}", ca=ca))


async def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    other = make_certificates(tmp_path / "other", "elsewhere.example.org")
    with server(tmp_path / "nats", serving(other)) as port:
        assert "Hostname mismatch" in await refusal(BusSettings(url=f"tls://localhost:{port}", ca=str(other.ca)))


async def test_a_server_that_offers_no_tls_hears_nothing() -> None:
    """As one that stands between would have it: nats-py by itself would go on in the clear, with our name and key."""
    heard = bytearray()

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.15.1","max_payload":1048576,"nonce":"abc"}\r\n')
        heard.extend(await reader.read())
        writer.close()

    async with await asyncio.start_server(pretend, "127.0.0.1", 0) as between:
        port = between.sockets[0].getsockname()[1]
        assert "offers no TLS" in await refusal(BusSettings(url=f"tls://127.0.0.1:{port}"))
    assert bytes(heard) == b""


async def test_a_server_may_ask_for_a_certificate_of_ours(made: Certificates, tmp_path: Path) -> None:
    with server(tmp_path / "nats", f'{serving(made)}, ca_file: "{made.ca}", verify: true') as port:
        settings = BusSettings(url=f"tls://localhost:{port}", ca=str(made.ca))
        assert "certificate" in await refusal(settings)
        own = BusSettings(
            url=settings.url, ca=settings.ca, certificate=str(made.client_cert), certificate_key=str(made.client_key)
        )
        async with Bus.connect(own, "test") as bus:
            assert bus.connected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"EASEL_NATS_URL": "nats://bus:4222", "EASEL_NATS_CA": "ca.pem"}, "must begin with tls://"),
        ({"EASEL_NATS_URL": "tls://a,nats://b", "EASEL_NATS_CA": "ca.pem"}, "must begin with tls://"),
        ({"EASEL_NATS_URL": "tls://bus", "EASEL_NATS_CERT": "x.pem"}, "need each other"),
    ],
)
def test_settings_that_would_go_in_the_clear_are_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        load(BusSettings, given)


async def test_a_missing_authority_is_named(tmp_path: Path) -> None:
    settings = BusSettings(url="tls://localhost:1", ca=str(tmp_path / "nowhere.pem"))
    assert "No such file" in await refusal(settings)
