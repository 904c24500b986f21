"""What `easel up` lets each of its processes do on the bus, tried on a real server: all else is refused."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats
import pytest

from cli.launcher.bus_users import OPERATOR, key_file, make_users
from cli.launcher.nats_server import NatsServer
from contracts.errors import EaselError
from runtime.messaging.connection import Bus
from runtime.messaging.settings import BusSettings
from tests.support.eventually import eventually

JOB = "0" * 32
NAMES = ("gateway", "diffusion-1", "diffusion-2", "enhancer-1")
API, GET, NEXT, ACK = "$JS.API", "$JS.API.DIRECT.GET", "$JS.API.CONSUMER.MSG.NEXT", "$JS.ACK"
ALL_OF_THEM = [
    *(f"{API}.STREAM.DELETE.EASEL_{name}" for name in ("JOBS", "OUTCOMES", "IMAGES", "CALLERS", "DEAD_LETTERS")),
    *(f"{API}.STREAM.{verb}.EASEL_JOBS" for verb in ("PURGE", "MSG.GET", "SNAPSHOT", "LEADER.STEPDOWN")),
    f"{API}.STREAM.RESTORE.EASEL_JOBS",
    f"{API}.CONSUMER.DELETE.EASEL_JOBS.pool-pocket",
    f"{API}.STREAM.CREATE.MINE",
    f"{API}.CONSUMER.CREATE.EASEL_OUTCOMES.mine",
    f"{API}.CONSUMER.DURABLE.CREATE.EASEL_JOBS.mine",
    f"{API}.ACCOUNT.PURGE.X",
    "$SYS.REQ.SERVER.PING",
    "_INBOX_another.x",
    "anything.else",
]
WORKERS = [
    "easel.fin.diffusion-2." + JOB,
    "easel.evt.diffusion-2." + JOB,
    f"easel.blob.diffusion-2.{JOB}.1.0.0",
    "easel.presence.diffusion-2",
    f"easel.cancel.pocket.{JOB}",
    "easel.caller.key.quota",
    "easel.prepare.diffusion-2",
    f"{GET}.EASEL_CALLERS",
    f"{GET}.EASEL_EVENTS",
    f"{NEXT}.EASEL_DEAD_LETTERS.reaper",
    f"{API}.STREAM.INFO.EASEL_JOBS",
]
FORBIDDEN = {
    "gateway": [
        *ALL_OF_THEM,
        f"{NEXT}.EASEL_JOBS.pool-pocket",
        f"{ACK}.EASEL_JOBS.pool-pocket.1.1.1.1.1",
        f"easel.evt.gateway.{JOB}",
        "easel.presence.gateway",
        f"easel.live.fin.{JOB}",
    ],
    "diffusion-1": [
        *ALL_OF_THEM,
        *WORKERS,
        f"easel.job.pocket.{JOB}",
        f"{GET}.EASEL_JOBS",
        f"{NEXT}.EASEL_JOBS.pool-enhancer",
        f"{ACK}.EASEL_JOBS.pool-enhancer.1.1.1.1.1",
        "easel.rpc.enhancer.enhance",
        f"{API}.STREAM.MSG.DELETE.EASEL_JOBS",
    ],
    "enhancer-1": [
        *ALL_OF_THEM,
        *WORKERS,
        f"{NEXT}.EASEL_JOBS.pool-pocket",
        f"easel.blob.enhancer-1.{JOB}.1.0.0",
        f"{ACK}.EASEL_JOBS.pool-pocket.1.1.1.1.1",
        f"{GET}.EASEL_IMAGES.easel.blob.{JOB}.1.0.0",
    ],
    OPERATOR: [
        *ALL_OF_THEM,
        *WORKERS[:-1],
        f"easel.job.pocket.{JOB}",
        f"{GET}.EASEL_JOBS",
        f"{GET}.EASEL_OUTCOMES",
        f"{API}.STREAM.CREATE.EASEL_JOBS",
        f"{API}.STREAM.UPDATE.EASEL_JOBS",
        f"{API}.STREAM.DELETE.EASEL_EVENTS",
    ],
}
DEAF = {
    "gateway": [">", "easel.>", "_INBOX.>", "_INBOX_diffusion-1.>", "easel.job.>", "easel.caller.>", "easel.prepare.*"],
    "diffusion-1": [
        ">",
        "easel.>",
        "easel.live.>",
        "easel.job.>",
        "easel.blob.>",
        "_INBOX_gateway.>",
        "easel.rpc.>",
        "easel.prepare.diffusion-2",
        "easel.presence.*",
        "easel.caller.>",
    ],
    "enhancer-1": [">", "easel.live.>", "easel.job.>", "easel.blob.>", "_INBOX_gateway.>", "easel.cancel.pocket.*"],
    OPERATOR: [">", "easel.>", "easel.live.>", "easel.job.>", "easel.blob.>", "_INBOX_gateway.>", "easel.rpc.>"],
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


@contextlib.asynccontextmanager
async def connected(server: NatsServer, folder: Path, name: str) -> AsyncIterator[tuple[Any, list[str]]]:
    complaints: list[str] = []

    async def complain(fault: Exception) -> None:
        complaints.append(str(fault).lower())

    seed = key_file(folder, name).read_text().strip()
    link = await nats.connect(server.url, nkeys_seed_str=seed, error_cb=complain)
    try:
        yield link, complaints
    finally:
        await link.close()


async def _all_refused(complaints: list[str], wanted: set[str]) -> None:
    async def look() -> bool:
        return wanted <= set(complaints)

    try:
        await eventually(look)
    except (AssertionError, TimeoutError):
        assert wanted - set(complaints) == set()  # names what was let through
        raise


@pytest.mark.parametrize("name", FORBIDDEN)
async def test_a_service_is_refused_what_is_not_its_work(server: NatsServer, tmp_path: Path, name: str) -> None:
    async with connected(server, tmp_path, name) as (link, complaints):
        for subject in FORBIDDEN[name]:
            await link.publish(subject, b"")
        await link.flush()
        said = {f'nats: permissions violation for publish to "{subject.lower()}"' for subject in FORBIDDEN[name]}
        await _all_refused(complaints, said)


@pytest.mark.parametrize("name", DEAF)
async def test_a_service_does_not_hear_what_is_not_for_it(server: NatsServer, tmp_path: Path, name: str) -> None:
    async with connected(server, tmp_path, name) as (link, complaints):
        for subject in DEAF[name]:
            await link.subscribe(subject)
        await link.flush()
        said = {f'nats: permissions violation for subscription to "{subject.lower()}"' for subject in DEAF[name]}
        await _all_refused(complaints, said)


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
