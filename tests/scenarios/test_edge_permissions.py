"""A device's key opens its own pool and nothing else; ending it ends it alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest

from contracts.errors import EaselError
from runtime.messaging.connection import Bus
from runtime.messaging.topology import declare, declare_pool
from tests.support.edge_hub import Hub, running_hub
from tests.support.eventually import eventually

JOB = "0" * 32
JOBS, CONSUMER = "EASEL_JOBS", "pool-pi-07"
GET = "$JS.API.DIRECT.GET"

ALLOWED = [
    f"$JS.API.CONSUMER.MSG.NEXT.{JOBS}.{CONSUMER}",
    f"$JS.ACK.{JOBS}.{CONSUMER}.1.1.1.1.1",
    f"easel.evt.pi-07.{JOB}",
    f"easel.fin.pi-07.{JOB}",
    f"easel.blob.pi-07.{JOB}.1.0.0",
    "easel.presence.pi-07",
    f"{GET}.EASEL_IMAGES.easel.blob.{JOB}.in-pi-07.0.0",
]
FORBIDDEN = {
    "take another pool's jobs": f"$JS.API.CONSUMER.MSG.NEXT.{JOBS}.pool-pi-08",
    "take everybody's jobs": f"$JS.API.CONSUMER.MSG.NEXT.{JOBS}.*",
    "settle another pool's jobs": f"$JS.ACK.{JOBS}.pool-pi-08.1.1.1.1.1",
    "submit a job": f"easel.job.pi-07.{JOB}",
    "submit a job to others": f"easel.job.pocket.{JOB}",
    "speak as another device": f"easel.evt.pi-08.{JOB}",
    "end a job as another": f"easel.fin.pi-08.{JOB}",
    "store a picture as another": f"easel.blob.pi-08.{JOB}.1.0.0",
    "announce another": "easel.presence.pi-08",
    "cancel a job": f"easel.cancel.pi-08.{JOB}",
    "read an outcome": f"{GET}.EASEL_OUTCOMES.easel.fin.{JOB}",
    "read any outcome": f"{GET}.EASEL_OUTCOMES.easel.fin.*",
    "read a batch of jobs": f"{GET}.{JOBS}",
    "read a waiting job": f"{GET}.{JOBS}.easel.job.pi-07.{JOB}",
    "read a finished picture": f"{GET}.EASEL_IMAGES.easel.blob.{JOB}.1.0.0",
    "read another's picture to start from": f"{GET}.EASEL_IMAGES.easel.blob.{JOB}.in-pi-08.0.0",
    "read any picture to start from": f"{GET}.EASEL_IMAGES.easel.blob.*.*.*.*",
    "look at a stream": f"$JS.API.STREAM.INFO.{JOBS}",
    "empty a stream": f"$JS.API.STREAM.PURGE.{JOBS}",
    "delete a stream": f"$JS.API.STREAM.DELETE.{JOBS}",
    "change a stream": f"$JS.API.STREAM.UPDATE.{JOBS}",
    "get a message": f"$JS.API.STREAM.MSG.GET.{JOBS}",
    "delete a message": f"$JS.API.STREAM.MSG.DELETE.{JOBS}",
    "list streams": "$JS.API.STREAM.NAMES",
    "make a consumer": f"$JS.API.CONSUMER.CREATE.{JOBS}.mine",
    "delete a consumer": f"$JS.API.CONSUMER.DELETE.{JOBS}.{CONSUMER}",
    "look at the account": "$JS.API.INFO",
    "answer for another": "_INBOX_pi-08.x",
    "write what gateways remember": "easel.caller.x.y",
    "anything else": "hello",
}
DEAF = {
    "everything": ">",
    "all events": "easel.live.>",
    "other devices": "easel.presence.*",
    "another's cancellations": "easel.cancel.pi-08.*",
    "another's answers": "_INBOX_pi-08.>",
    "everybody's answers": "_INBOX.>",
    "pictures on their way": "easel.blob.>",
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with running_hub(tmp_path_factory.mktemp("hub"), devices=("pi-07", "pi-08")) as running:
        yield running


class Client:
    """nats-py with a device's key, and what the server complained of."""

    def __init__(self, link: Any) -> None:
        self.link = link
        self.complaints: list[str] = []

    async def refused(self, said: str) -> None:
        """Return when the server has complained of `said`."""

        async def look() -> bool:
            return any(said.lower() in complaint.lower() for complaint in self.complaints)

        await eventually(look)


@contextlib.asynccontextmanager
async def device(hub: Hub, name: str) -> AsyncIterator[Client]:
    client = Client(None)

    async def complain(fault: Exception) -> None:
        client.complaints.append(str(fault))

    client.link = await nats.connect(
        f"tls://localhost:{hub.port}",
        tls=ssl.create_default_context(cafile=str(hub.ca)),
        nkeys_seed_str=(hub.folder / name / "device.nk").read_text().strip(),
        inbox_prefix=f"_INBOX_{name}".encode(),
        error_cb=complain,
    )
    try:
        yield client
    finally:
        await client.link.close()


@pytest.mark.parametrize("subject", FORBIDDEN.values(), ids=FORBIDDEN)
async def test_a_device_may_not(hub: Hub, subject: str) -> None:
    async with device(hub, "pi-07") as client:
        await client.link.publish(subject, b"")
        await client.link.flush()
        await client.refused(f'permissions violation for publish to "{subject}"')


@pytest.mark.parametrize("subject", DEAF.values(), ids=DEAF)
async def test_a_device_does_not_hear(hub: Hub, subject: str) -> None:
    async with device(hub, "pi-07") as client:
        await client.link.subscribe(subject)
        await client.link.flush()
        await client.refused(f'permissions violation for subscription to "{subject}"')


async def test_what_its_work_needs_is_allowed(hub: Hub) -> None:
    async with device(hub, "pi-07") as client:
        for subject in ALLOWED:
            await client.link.publish(subject, b"")
        await client.link.subscribe("_INBOX_pi-07.>")
        await client.link.subscribe("easel.cancel.pi-07.*")
        await client.link.publish("hello", b"")  # refused, and after all others
        await client.refused('"hello"')
        assert client.complaints == ['nats: permissions violation for publish to "hello"']


async def test_a_pull_of_its_own_pool_is_answered(hub: Hub) -> None:
    """The permission is no dead letter: the server serves the request."""
    async with Bus.connect(hub.settings(), "core", inbox="gateway") as core:
        await declare(core)
        await declare_pool(core, "pi-07")
        await core.store(f"easel.job.pi-07.{JOB}", b"work", message_id="x")
        async with device(hub, "pi-07") as client:
            request = json.dumps({"batch": 1, "expires": 5_000_000_000, "group": "workers"}).encode()
            answers = await client.link.subscribe("_INBOX_pi-07.pull")
            await client.link.publish(ALLOWED[0], request, reply="_INBOX_pi-07.pull")
            assert (await answers.next_msg(timeout=20)).data == b"work"


async def test_without_a_key_nobody_enters(hub: Hub) -> None:
    with pytest.raises(EaselError, match="Authorization Violation"):
        async with Bus.connect(hub.settings().__class__(url=hub.settings().url, ca=str(hub.ca)), "nobody", 3):
            pass


async def test_a_server_of_another_authority_is_not_believed(hub: Hub) -> None:
    settings = hub.settings()
    with pytest.raises(EaselError, match="certificate"):
        async with Bus.connect(type(settings)(url=settings.url, nkey=settings.nkey), "core", 3):
            pass


async def test_revoking_ends_one_device_and_disturbs_no_other(tmp_path: Path) -> None:
    with running_hub(tmp_path / "hub", devices=("pi-07", "pi-08")) as hub:
        key = hub.folder / "pi-07/device.nk"
        async with Bus.connect(hub.settings(), "core", inbox="gateway") as core, device(hub, "pi-08") as other:
            async with Bus.connect(hub.settings(key), "pi-07") as lost:
                await asyncio.to_thread(hub.revoke, "pi-07")

                async def gone() -> bool:
                    return not lost.connected

                await eventually(gone)
                with pytest.raises(EaselError, match="Authorization Violation"):
                    async with Bus.connect(hub.settings(key), "pi-07", 3):
                        pass
                await other.link.flush()
                await core.client.flush()
                assert (other.link.stats["reconnects"], core.client.stats["reconnects"]) == (0, 0)
                assert other.complaints == []
        again = await asyncio.to_thread(hub.enroll, "pi-07")  # a new key for the same name
        async with Bus.connect(hub.settings(again / "device.nk"), "pi-07") as back:
            assert back.connected
