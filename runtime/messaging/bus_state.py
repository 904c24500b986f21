"""How full the bus is: read when somebody looks, never kept."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec

from contracts import codec
from contracts.jobs import Job
from runtime.messaging.connection import Bus

_PATIENCE_S = 2.0


class PoolState(msgspec.Struct, frozen=True):
    """One pool's queue."""

    name: str
    consumer: str
    waiting: int
    running: int
    redelivered: int
    oldest_age_s: float
    """Of the oldest job that has not ended; 0 where there is none."""


class StreamState(msgspec.Struct, frozen=True):
    """One stream."""

    name: str
    messages: int
    bytes: int
    replicas: int
    """Copies that are up to date."""
    replicas_wanted: int


class BusState(msgspec.Struct, frozen=True):
    """Everything of one namespace, and the account's storage."""

    jobs_stream: str
    pools: tuple[PoolState, ...]
    streams: tuple[StreamState, ...]
    storage_used: int
    storage_limit: int
    """-1 without a limit."""


async def read_state(bus: Bus) -> BusState:
    """Ask the bus, with a few questions at once.

    Raises:
        BusError, EaselError: it does not answer.
    """
    names = [value for name, value in sorted(vars(bus.subjects).items()) if name.endswith("_stream")]
    if bus.settings.replicas == 1:
        names.remove(bus.subjects.intake_stream)
    infos, consumers, account = await asyncio.gather(
        asyncio.gather(*(bus.api(f"STREAM.INFO.{name}", timeout_s=_PATIENCE_S) for name in names)),
        _consumers(bus),
        bus.api("INFO", timeout_s=_PATIENCE_S),
    )
    return BusState(
        jobs_stream=bus.subjects.jobs_stream,
        pools=tuple(await asyncio.gather(*(_pool(bus, consumer) for consumer in consumers))),
        streams=tuple(_stream(info) for info in infos),
        storage_used=account["storage"],
        storage_limit=account["limits"]["max_storage"],
    )


async def _consumers(bus: Bus) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        verb = f"CONSUMER.LIST.{bus.subjects.jobs_stream}"
        answer = await bus.api(verb, {"offset": len(found)}, timeout_s=_PATIENCE_S)
        found += answer["consumers"] or []
        if not answer["consumers"] or len(found) >= answer["total"]:
            prefix = bus.subjects.consumer("")
            return [consumer for consumer in found if consumer["name"].startswith(prefix)]


async def _pool(bus: Bus, consumer: dict[str, Any]) -> PoolState:
    name = consumer["name"].removeprefix(bus.subjects.consumer(""))
    oldest = 0.0
    if consumer["num_pending"] or consumer["num_ack_pending"]:
        subject = bus.subjects.job(name, "*")
        for message in await bus.read(bus.subjects.jobs_stream, seq=1, next_by_subj=subject, batch=1):
            oldest = max(0.0, time.time() - codec.decode(message.data, Job).created_at)
    return PoolState(
        name=name,
        consumer=consumer["name"],
        waiting=consumer["num_pending"],
        running=consumer["num_ack_pending"],
        redelivered=consumer["num_redelivered"],
        oldest_age_s=oldest,
    )


def _stream(info: dict[str, Any]) -> StreamState:
    copies = (info.get("cluster") or {}).get("replicas") or []
    current = sum(1 for copy in copies if copy.get("current") and not copy.get("offline"))
    return StreamState(
        name=info["config"]["name"],
        messages=info["state"]["messages"],
        bytes=info["state"]["bytes"],
        replicas=1 + current,
        replicas_wanted=info["config"]["num_replicas"],
    )
