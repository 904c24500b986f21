"""What `easel up` lets each of its processes do on the bus, tried on a real server: all else is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cli.launcher.bus_users import key_file, make_users
from cli.launcher.nats_server import NatsServer
from contracts.errors import EaselError
from runtime.messaging.connection import Bus
from runtime.messaging.settings import BusSettings
from tests.support import bus_rights
from tests.support.bus_rights import ANOTHER_WORKER, refused_to_hear, refused_to_publish

NAMES = ("gateway", "diffusion-1", "diffusion-2", "enhancer-1")
FORBIDDEN = {
    "gateway": [*bus_rights.GATEWAY, *bus_rights.INTAKE, "$JS.API.STREAM.MSG.GET.EASEL_JOBS"],
    "diffusion-1": [*bus_rights.DIFFUSION, *ANOTHER_WORKER],
    "enhancer-1": [*bus_rights.ENHANCER, *ANOTHER_WORKER],
    "operator": [*bus_rights.OPERATOR, *ANOTHER_WORKER],
}
DEAF = {
    "gateway": bus_rights.DEAF["gateway"],
    "diffusion-1": [*bus_rights.DEAF["diffusion"], "easel.prepare.diffusion-2"],
    "enhancer-1": bus_rights.DEAF["enhancer"],
    "operator": bus_rights.DEAF["operator"],
}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    """As `easel up` starts it."""
    server = NatsServer(tmp_path, 0, {})
    server.configure(make_users(tmp_path, NAMES, "easel"))
    process = await asyncio.create_subprocess_exec(*server.spec.argv, stderr=asyncio.subprocess.DEVNULL)
    await asyncio.wait_for(server.ready(), 60)
    yield server
    process.kill()
    await process.wait()


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_a_service_is_refused_what_is_not_its_work(server: NatsServer, tmp_path: Path, name: str) -> None:
    await refused_to_publish(server.url, key_file(tmp_path, name), FORBIDDEN[name])


@pytest.mark.parametrize("name", DEAF)
async def test_a_service_does_not_hear_what_is_not_for_it(server: NatsServer, tmp_path: Path, name: str) -> None:
    await refused_to_hear(server.url, key_file(tmp_path, name), DEAF[name])


async def test_without_a_key_nobody_enters(server: NatsServer) -> None:
    with pytest.raises(EaselError, match="Authorization Violation"):
        async with Bus.connect(BusSettings(url=server.url), "nobody", 3):
            pass


async def test_the_keys_are_for_their_owner_alone_and_new_at_each_start(tmp_path: Path) -> None:
    make_users(tmp_path, [*NAMES, "gone-1"], "easel")
    before = {path.name: path.read_text() for path in tmp_path.glob("*.nk")}
    users = make_users(tmp_path, NAMES, "easel")
    after = {path.name: path.read_text() for path in tmp_path.glob("*.nk")}
    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("*.nk")} == {0}
    assert set(before) - set(after) == {"gone-1.nk"}
    assert set(before.values()) & set(after.values()) == set()
    assert not any(secret.strip() in str(users) for secret in after.values())
