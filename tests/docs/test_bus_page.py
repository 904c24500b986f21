"""The page about the bus: its commands make certificates that servers and clients take."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from runtime.messaging.connection import Bus
from runtime.messaging.settings import BusSettings
from tests.runtime.test_bus_tls import server

PAGE = Path(__file__).parents[2] / "docs/bus.md"


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl")
async def test_its_commands_make_certificates_that_a_server_and_a_client_take(tmp_path: Path) -> None:
    block = re.search(r"```sh\n(openssl .*?)```", PAGE.read_text(), re.DOTALL)
    assert block
    ran = subprocess.run(["sh", "-e", "-c", block[1]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    own = f'cert_file: "{tmp_path}/tls.crt", key_file: "{tmp_path}/tls.key", ca_file: "{tmp_path}/ca.crt", verify: true'
    with server(tmp_path / "nats", own) as port:
        settings = BusSettings(
            url=f"tls://localhost:{port}",
            ca=str(tmp_path / "ca.crt"),
            certificate=str(tmp_path / "tls.crt"),
            certificate_key=str(tmp_path / "tls.key"),
        )
        async with Bus.connect(settings, "test") as bus:
            assert bus.connected
