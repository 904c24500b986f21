"""The gateway's link to the bus: made in the background, so that the process answers its health checks without it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

import structlog

from contracts.codec import SchemaMismatch
from contracts.errors import EaselError, ErrorCode
from contracts.subjects import subject_token
from gateway.enhancement import OverdueEnhancements
from gateway.pools import PoolKeeper
from runtime.messaging.caller_store import CallerStore
from runtime.messaging.connection import Bus, BusError
from runtime.messaging.image_store import ImageStore
from runtime.messaging.intake import IntakeMover
from runtime.messaging.job_client import JobClient
from runtime.messaging.leaders import LeaderKeeper
from runtime.messaging.presence import Roster
from runtime.messaging.reaper import DeadLetterReaper
from runtime.messaging.settings import BusSettings
from runtime.messaging.topology import declare
from runtime.process.waiting import first, until

log = structlog.get_logger()

CONNECT_TIMEOUT_S = 5.0
PAUSE_S = 1.0
"""Between two tries to connect, or to go on with a duty."""


class Backend(NamedTuple):
    """What the gateway uses of the bus."""

    bus: Bus
    jobs: JobClient
    images: ImageStore
    roster: Roster
    callers: CallerStore


class Duty(Protocol):
    """Work beside the requests."""

    async def run(self, stop: asyncio.Event) -> None: ...


class BusLink:
    """Connects, keeps trying, and connects anew when the server closed the connection for good."""

    def __init__(self, settings: BusSettings) -> None:
        self._settings = settings
        self._backend: Backend | None = None
        self.name = subject_token(f"gateway-{socket.gethostname()[:32]}-{os.urandom(3).hex()}")
        """Author of what this gateway publishes."""
        self.was_ready = False
        """Whether the streams were ever declared."""

    @property
    def backend(self) -> Backend:
        """The bus.

        Raises:
            EaselError: UNAVAILABLE while there is none.
        """
        if self._backend is None:
            raise EaselError(ErrorCode.UNAVAILABLE, "the message bus is not connected yet", retry_after_s=2)
        return self._backend

    @property
    def clustered(self) -> bool:
        """Whether the bus keeps several copies."""
        return self._settings.replicas > 1

    @property
    def connected(self) -> bool:
        return self._backend is not None and self._backend.bus.connected

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Be connected, or try to be, while the block runs."""
        stop = asyncio.Event()
        task = asyncio.create_task(self._run(stop))
        try:
            yield
        finally:
            stop.set()
            if self._backend is None:  # nothing to close in order, and a server that is away would be waited for
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                async with Bus.connect(self._settings, self.name, CONNECT_TIMEOUT_S, inbox="gateway") as bus:
                    await declare(bus)
                    async with Roster(bus) as roster:
                        self._backend = Backend(
                            bus, JobClient(bus, self.name), ImageStore(bus), roster, CallerStore(bus)
                        )
                        self.was_ready = True
                        log.info("bus connected", gateway=self.name)
                        await self._serve(bus, stop)
            except (EaselError, BusError) as fault:
                log.warning("no bus yet", fault=str(fault))
            except Exception:  # the gateway must not live on without a bus, unnoticed
                log.exception("the link to the bus broke; it is made anew")
            finally:
                self._backend = None
            await until(stop, PAUSE_S)

    async def _serve(self, bus: Bus, stop: asyncio.Event) -> None:
        """Until `stop`, or until the connection is closed for good."""
        ends = asyncio.Event()
        duties = [asyncio.create_task(_fulfil(duty, ends)) for duty in self._duties(bus)]
        try:
            await first(stop.wait(), bus.closed.wait())
        finally:
            ends.set()
            await first(asyncio.gather(*duties), asyncio.sleep(PAUSE_S))

    def _duties(self, bus: Bus) -> list[Duty]:
        """What each gateway does beside its requests."""
        duties: list[Duty] = [
            DeadLetterReaper(bus, self.name),
            PoolKeeper(bus, self.backend.roster, self.name),
            OverdueEnhancements(bus),
        ]
        return [*duties, IntakeMover(bus), LeaderKeeper(bus)] if self.clustered else duties


async def _fulfil(duty: Duty, stop: asyncio.Event) -> None:
    """Work until `stop` is set, whatever the bus does."""
    while not stop.is_set():
        try:
            await duty.run(stop)
        except (EaselError, BusError, SchemaMismatch) as fault:
            log.warning("a duty waits for the bus", duty=type(duty).__name__, fault=str(fault))
            await until(stop, PAUSE_S)
