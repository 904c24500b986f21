"""The bus in a container, for the tests that share one: used wherever a Docker engine answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from nats.errors import NoServersError

from contracts.errors import EaselError
from runtime.messaging.connection import Bus
from runtime.messaging.topology import declare
from tests.conftest import settings_for
from tests.support.nats_container import engine_answers, start_shared_server
from tests.support.nats_server import NatsServer


@pytest.mark.skipif(not engine_answers(), reason="no Docker engine answers")
async def test_a_container_serves_the_bus_and_leaves_nothing(tmp_path: Path) -> None:
    """On this machine's loopback alone, with our limits: a message as large as a part of a picture goes through."""
    server = start_shared_server(tmp_path)
    try:
        if isinstance(server, NatsServer):
            pytest.skip("the engine has no image of nats-server and can pull none")
        settings = settings_for(server)
        async with Bus.connect(settings, "test") as bus:
            await declare(bus)
            assert await bus.store(bus.subjects.outcome("test", "job"), bytes(7 << 20), message_id="large")
    finally:
        server.kill()
    with pytest.raises((EaselError, NoServersError)):
        async with Bus.connect(settings, "test", 1.0):
            pass


def test_without_an_engine_the_bus_is_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    server = start_shared_server(tmp_path)
    try:
        assert isinstance(server, NatsServer)
    finally:
        server.kill()
