"""Who is on the bus: workers announce themselves, gateways keep the list."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from contracts import codec
from contracts.errors import EaselError
from contracts.workers import PRESENCE_TTL_S, WorkerPresence
from runtime.messaging.connection import Bus, BusError

log = structlog.get_logger()


async def announce(bus: Bus, presence: WorkerPresence) -> None:
    """Tell every gateway; the bus forgets it by itself after `PRESENCE_TTL_S` seconds."""
    ttl = {"Nats-TTL": f"{PRESENCE_TTL_S}s"}
    await bus.publish(bus.subjects.presence(presence.id), codec.encode(presence), headers=ttl)


class Roster:
    """The live workers, kept in memory: reading it costs no round trip.

    Workers count as alive until they have been silent for `PRESENCE_TTL_S` on this process's own clock.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._seen: dict[str, tuple[float, WorkerPresence]] = {}
        self._subscription: Subscription | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._subscription = await self._bus.subscribe(self._bus.subjects.presence("*"), self._receive)
        try:
            stored = await self._bus.read(
                self._bus.subjects.presence_stream, multi_last=[self._bus.subjects.presence("*")]
            )
        except (BusError, EaselError) as fault:  # the next announcements will fill the list
            log.warning("cannot read the workers announced so far", fault=str(fault))
            stored = []
        for message in stored:
            self._note(message.subject, message.data)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._subscription is not None and self._bus.connected:
            await self._subscription.unsubscribe()

    def workers(self) -> tuple[WorkerPresence, ...]:
        """Every live worker that takes jobs, by id."""
        now = time.monotonic()
        self._seen = {key: seen for key, seen in self._seen.items() if now - seen[0] < PRESENCE_TTL_S}
        return tuple(presence for _, (_, presence) in sorted(self._seen.items()))

    async def changed(self) -> None:
        """Return at the next announcement of any worker."""
        await self._changed.wait()

    async def _receive(self, message: Msg) -> None:
        self._note(message.subject, message.data)
        self._changed.set()
        self._changed = asyncio.Event()

    def _note(self, subject: str, data: bytes) -> None:
        try:
            presence = codec.decode(data, WorkerPresence)
        except codec.SchemaMismatch as fault:
            log.warning("cannot read an announcement", fault=str(fault))
            return
        if presence.id != subject.rsplit(".", 1)[1]:
            log.warning("a worker announced another's name", worker=subject.rsplit(".", 1)[1], name=presence.id)
        elif presence.stopping:
            self._seen.pop(presence.id, None)
        else:
            self._seen[presence.id] = (time.monotonic(), presence)
