"""What each user of the bus must not do, and how a test tries it on a real server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import nats

from tests.support.eventually import eventually

JOB = "0" * 32
API, GET, NEXT, ACK = "$JS.API", "$JS.API.DIRECT.GET", "$JS.API.CONSUMER.MSG.NEXT", "$JS.ACK"
_LASTING = ("JOBS", "INTAKE", "OUTCOMES", "IMAGES", "CALLERS", "DEAD_LETTERS")
NOBODY = [
    *(f"{API}.STREAM.DELETE.EASEL_{name}" for name in _LASTING),
    *(f"{API}.STREAM.{verb}.EASEL_JOBS" for verb in ("PURGE", "SNAPSHOT", "LEADER.STEPDOWN", "PEER.REMOVE")),
    f"{API}.STREAM.PURGE.EASEL_INTAKE",
    f"{API}.STREAM.RESTORE.EASEL_JOBS",
    f"{API}.META.LEADER.STEPDOWN",
    f"{API}.CONSUMER.DELETE.EASEL_JOBS.pool-pocket",
    f"{API}.CONSUMER.DELETE.EASEL_INTAKE.mover",
    f"{API}.CONSUMER.CREATE.EASEL_INTAKE.mine",
    f"{API}.STREAM.CREATE.MINE",
    f"{API}.CONSUMER.CREATE.EASEL_OUTCOMES.mine",
    f"{API}.CONSUMER.DURABLE.CREATE.EASEL_JOBS.mine",
    f"{API}.ACCOUNT.PURGE.X",
    "$SYS.REQ.SERVER.PING",
    "_INBOX_another.x",
    "anything.else",
]
"""For no user at all."""
GATEWAY = [
    *NOBODY,
    f"{NEXT}.EASEL_JOBS.pool-pocket",
    f"{ACK}.EASEL_JOBS.pool-pocket.1.1.1.1.1",
    f"easel.evt.gateway.{JOB}",
    "easel.presence.gateway",
    f"easel.live.fin.{JOB}",
]
DECLARING = [
    *(
        f"{API}.STREAM.{verb}.EASEL_{name}"
        for verb in ("CREATE", "UPDATE")
        for name in ("JOBS", "INTAKE", "OUTCOMES", "EVENTS")
    ),
    f"{API}.STREAM.DELETE.EASEL_EVENTS",
    f"{API}.CONSUMER.CREATE.EASEL_JOBS.pool-pocket.easel.job.pocket.*",
]
INTAKE = [
    f"easel.intake.pocket.{JOB}",
    f"{GET}.EASEL_INTAKE",
    f"{API}.STREAM.MSG.GET.EASEL_INTAKE",
    f"{API}.STREAM.MSG.DELETE.EASEL_INTAKE",
    f"{API}.CONSUMER.CREATE.EASEL_INTAKE.mover",
    f"{NEXT}.EASEL_INTAKE.mover",
    f"{ACK}.EASEL_INTAKE.mover.1.1.1.1.1",
    *(f"{API}.STREAM.LEADER.STEPDOWN.EASEL_{name}" for name in ("INTAKE", "CALLERS")),
    f"{API}.CONSUMER.LEADER.STEPDOWN.EASEL_INTAKE.mover",
]
"""For gateways of a cluster alone."""
WORKER = [
    *NOBODY,
    *DECLARING,
    *INTAKE,
    f"easel.cancel.pocket.{JOB}",
    "easel.caller.key.quota",
    "easel.prepare.diffusion-2",
    f"easel.live.fin.{JOB}",
    f"{GET}.EASEL_CALLERS",
    f"{GET}.EASEL_EVENTS",
    f"{GET}.EASEL_OUTCOMES",
    f"{GET}.EASEL_IMAGES",
    f"{API}.STREAM.MSG.GET.EASEL_JOBS",
    f"{API}.STREAM.MSG.GET.EASEL_OUTCOMES",
    f"{NEXT}.EASEL_DEAD_LETTERS.reaper",
    f"{API}.STREAM.INFO.EASEL_JOBS",
    f"{API}.INFO",
]
DIFFUSION = [
    *WORKER,
    f"easel.job.pocket.{JOB}",
    f"{GET}.EASEL_JOBS",
    f"{NEXT}.EASEL_JOBS.pool-enhancer",
    f"{ACK}.EASEL_JOBS.pool-enhancer.1.1.1.1.1",
    "easel.rpc.enhancer.enhance",
    f"{API}.STREAM.MSG.DELETE.EASEL_JOBS",
]
ENHANCER = [
    *WORKER,
    f"{NEXT}.EASEL_JOBS.pool-pocket",
    f"{ACK}.EASEL_JOBS.pool-pocket.1.1.1.1.1",
    f"easel.blob.enhancer-1.{JOB}.1.0.0",
    f"{GET}.EASEL_IMAGES.easel.blob.{JOB}.1.0.0",
]
OPERATOR = [
    *NOBODY,
    *DECLARING,
    *INTAKE,
    f"easel.evt.operator.{JOB}",
    f"easel.fin.operator.{JOB}",
    "easel.presence.operator",
    f"easel.cancel.pocket.{JOB}",
    f"easel.job.pocket.{JOB}",
    *(f"{GET}.EASEL_{name}" for name in ("JOBS", "EVENTS", "OUTCOMES", "IMAGES", "CALLERS")),
    f"{API}.STREAM.MSG.GET.EASEL_JOBS",
    f"{NEXT}.EASEL_JOBS.pool-pocket",
    f"{NEXT}.EASEL_DEAD_LETTERS.reaper",
]
ANOTHER_WORKER = [
    f"easel.fin.diffusion-2.{JOB}",
    f"easel.evt.diffusion-2.{JOB}",
    f"easel.blob.diffusion-2.{JOB}.1.0.0",
    "easel.presence.diffusion-2",
]
"""Speaking as another: where each worker has a user of its own."""
EDGE = [
    *WORKER,
    *ANOTHER_WORKER,
    f"easel.job.edge.{JOB}",
    f"{GET}.EASEL_JOBS",
    f"{NEXT}.EASEL_JOBS.pool-pocket",
    f"{ACK}.EASEL_JOBS.pool-pocket.1.1.1.1.1",
    f"{GET}.EASEL_OUTCOMES.easel.fin.{JOB}",
    f"{GET}.EASEL_IMAGES.easel.blob.{JOB}.1.0.0",
]

DEAF_ALL = [
    ">",
    "easel.>",
    "_INBOX.>",
    "_INBOX_another.>",
    "easel.job.>",
    "easel.intake.>",
    "easel.caller.>",
    "$JS.EVENT.>",
]
DEAF_WORKER = [*DEAF_ALL, "easel.live.>", "easel.blob.>", "_INBOX_gateway.>", "easel.presence.*"]
DEAF = {
    "gateway": [*DEAF_ALL, "_INBOX_diffusion.>", "easel.prepare.*"],
    "diffusion": [*DEAF_WORKER, "easel.rpc.>"],
    "enhancer": [*DEAF_WORKER, "easel.cancel.pocket.*", "easel.prepare.*"],
    "operator": [*DEAF_WORKER, "easel.rpc.>", "easel.cancel.*.*", "easel.prepare.*"],
    "edge": [*DEAF_WORKER, "easel.rpc.>", "easel.cancel.pocket.*", "easel.prepare.*", "_INBOX_diffusion.>"],
}


@contextlib.asynccontextmanager
async def connected(url: str, key: Path, tls: Any = None) -> AsyncIterator[tuple[Any, list[str]]]:
    """nats-py with a user's key, and what the server complains of."""
    complaints: list[str] = []

    async def complain(fault: Exception) -> None:
        complaints.append(str(fault).lower())

    options = {"tls": tls} if tls else {}
    link = await nats.connect(url, nkeys_seed_str=key.read_text().strip(), error_cb=complain, **options)
    try:
        yield link, complaints
    finally:
        await link.close()


async def refused_to_publish(url: str, key: Path, subjects: Iterable[str], tls: Any = None) -> None:
    """Return when the server has refused every one of them."""
    async with connected(url, key, tls) as (link, complaints):
        for subject in subjects:
            await link.publish(subject, b"")
        await link.flush()
        said = {f'nats: permissions violation for publish to "{subject.lower()}"' for subject in subjects}
        await _all_refused(complaints, said)


async def refused_to_hear(url: str, key: Path, subjects: Iterable[str], tls: Any = None) -> None:
    """The same of subscriptions."""
    async with connected(url, key, tls) as (link, complaints):
        for subject in subjects:
            await link.subscribe(subject)
        await link.flush()
        said = {f'nats: permissions violation for subscription to "{subject.lower()}"' for subject in subjects}
        await _all_refused(complaints, said)


async def _all_refused(complaints: list[str], wanted: set[str]) -> None:
    async def look() -> bool:
        return wanted <= set(complaints)

    try:
        await eventually(look)
    except (AssertionError, TimeoutError):
        assert wanted - set(complaints) == set()  # names what was let through
        raise
