"""`python -m gateway` as an operator meets it when something is missing."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runtime.messaging.settings import BusSettings
from tests.support.eventually import eventually
from tests.support.gateways import GatewayProcess
from tests.support.systems import answering

NOWHERE = BusSettings(url="nats://127.0.0.1:1")


async def test_without_a_bus_it_answers_its_probes_and_ends_at_once_when_told(tmp_path: Path) -> None:
    """Rather than waiting for a server that may never come."""
    with GatewayProcess(NOWHERE, tmp_path / "log") as gateway:
        await answering(gateway)
        began = time.monotonic()
        assert gateway.terminate() == 0
        assert time.monotonic() - began < 4


@pytest.mark.parametrize("variable", ["EASEL_GATEWAY_PORT", "EASEL_GATEWAY_GRPC_PORT"])
async def test_a_taken_port_is_an_error_that_names_it(tmp_path: Path, variable: str) -> None:
    """And no traceback."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with GatewayProcess(NOWHERE, tmp_path / "log", **{variable: str(port)}) as gateway:
            assert gateway.process.wait(20) == 1
            assert str(port) in gateway.log_text()
            assert "Traceback" not in gateway.log_text()


def listens(port: int) -> bool:
    """Somebody at ::1."""
    with socket.socket(socket.AF_INET6) as probe:
        return probe.connect_ex(("::1", port)) == 0


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")
@pytest.mark.parametrize("host", ["::1", "[::1]"])
async def test_it_listens_on_ipv6_with_or_without_brackets(tmp_path: Path, host: str) -> None:
    with GatewayProcess(NOWHERE, tmp_path / "log", EASEL_GATEWAY_HOST=host) as gateway:

        async def both() -> bool:
            assert gateway.process.poll() is None, gateway.log_text()
            return listens(gateway.port) and listens(gateway.grpc_port)

        assert await eventually(both)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("EASEL_GATEWAY_HOST", "0.0.0.0", "easel keys create"),
        ("EASEL_GATEWAY_KEYS_FILE", "missing.json", "missing.json"),
        ("EASEL_GATEWAY_PORTT", "1", "did you mean EASEL_GATEWAY_PORT?"),
    ],
)
def test_a_wrong_setting_ends_it_with_what_to_do(name: str, value: str, said: str) -> None:
    """And no traceback."""
    ended = subprocess.run(
        [sys.executable, "-m", "gateway"],
        env=os.environ | {name: value},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
