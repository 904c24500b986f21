"""The composition root of every service that takes jobs: settings and a handler in, a well-behaved process out."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.metadata
import os
import resource
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NoReturn

import structlog
import uvloop

from contracts.errors import EaselError
from contracts.images import ModelInfo
from contracts.subjects import subject_token
from contracts.workers import PRESENCE_INTERVAL_S, WorkerPresence
from runtime.messaging.connection import Bus, BusError
from runtime.messaging.presence import announce
from runtime.messaging.settings import BusSettings
from runtime.messaging.topology import declare, declare_pool
from runtime.process import telemetry
from runtime.process.hardware import Devices
from runtime.process.memory import keep_buffers
from runtime.process.metrics import MetricsSettings, serve_metrics
from runtime.process.settings import SettingsError, load
from runtime.process.shutdown import Shutdown
from runtime.process.telemetry import TelemetrySettings
from runtime.process.waiting import until
from runtime.worker.handler import Handler
from runtime.worker.loop import JobLoop
from runtime.worker.preparation import preparing
from runtime.worker.settings import WorkerSettings

log = structlog.get_logger()

SWITCH_INTERVAL_S = 0.0005
"""How long a thread may hold the interpreter while another waits for it. Python's 5 ms delays the event loop's part of
a job, which alternates with the engine's and the encoder's threads: 0.5 ms took 1.7 of 9.3 ms off a picture's way."""

PRESENCE_PAUSE_S = 0.2
"""At most so often is a change of the free slots told, to keep the telling out of short jobs' way."""

MakeHandler = Callable[[Bus, str], Handler[Any]]
"""`(bus, worker name) -> handler`"""


def run_worker(service: str, make_handler: MakeHandler, settings: WorkerSettings, bus_settings: BusSettings) -> None:
    """Serve jobs until told to stop, then end the process: exit status 0, or 1 when it could not work.

    An engine stuck in its thread cannot hold the process back.
    """
    observe(service)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    keep_buffers()
    try:
        uvloop.run(Worker(service, settings, bus_settings).serve(make_handler))
    except (EaselError, BusError) as fault:
        log.error("cannot work", fault=str(fault))  # noqa: TRY400  the message says it all
        _end(1)
    _end(0)


def observe(service: str) -> None:
    """Show metrics and trace, as the environment says; ends the process with status 2 where it says it wrongly."""
    try:
        telemetry.configure(service, load(TelemetrySettings))
        serve_metrics(load(MetricsSettings))
    except SettingsError as fault:
        log.error("cannot start", fault=str(fault))  # noqa: TRY400  the message says it all
        _end(2)


def _end(status: int) -> NoReturn:
    telemetry.flush()
    sys.stdout.flush()
    os._exit(status)


class Worker:
    """One worker process on the bus."""

    def __init__(
        self, service: str, settings: WorkerSettings, bus_settings: BusSettings, devices: Devices | None = None
    ) -> None:
        self._service = service
        self._settings = settings
        self._bus_settings = bus_settings
        self._devices = devices or Devices()
        self._started_at = time.time()
        self._host, self._version = socket.gethostname(), importlib.metadata.version("easel")
        suffix = os.urandom(3).hex()
        self.name = settings.name or subject_token(f"{service}-{self._host[:32]}-{suffix}")

    async def serve(self, make_handler: MakeHandler, shutdown: Shutdown | None = None) -> None:
        """Connect, get ready, announce, take jobs until `shutdown`, leave.

        Raises:
            EaselError: no bus, or the handler cannot work at all.
        """
        if shutdown is None:
            shutdown = Shutdown(self._settings.soft_stop_s)
            shutdown.install()
        async with Bus.connect(self._bus_settings, self.name) as bus:
            if bus.settings.declares:
                await declare(bus)
            handler = make_handler(bus, self.name)
            try:
                await handler.start()
                pool = self._settings.pool or pool_of(handler.models)
                if bus.settings.declares:
                    await declare_pool(bus, pool)
                loop = JobLoop(bus, pool, self.name, handler, self._settings.slots, priority=self._settings.priority)
                async with (
                    self._announcing(bus, pool, handler, loop),
                    preparing(bus, self.name, handler, loop),
                    _ends_when_closed(bus, shutdown),
                ):
                    log.info("ready", worker=self.name, pool=pool, models=[model.id for model in handler.models])
                    await loop.run(shutdown)
            finally:
                await handler.close()

    @contextlib.asynccontextmanager
    async def _announcing(self, bus: Bus, pool: str, handler: Handler[Any], loop: JobLoop) -> AsyncIterator[None]:
        """Tell the gateways at once, at every change and every few seconds; say goodbye on the way out."""
        changed = asyncio.Event()
        loop.slots.on_change = changed.set

        async def repeat() -> None:
            while True:
                changed.clear()
                await announce(bus, self._presence(pool, handler, loop))
                await asyncio.sleep(PRESENCE_PAUSE_S)
                await until(changed, PRESENCE_INTERVAL_S - PRESENCE_PAUSE_S)

        task = asyncio.create_task(repeat())
        try:
            yield
        finally:
            task.cancel()
            await announce(bus, self._presence(pool, handler, loop, stopping=True))

    def _presence(self, pool: str, handler: Handler[Any], loop: JobLoop, *, stopping: bool = False) -> WorkerPresence:
        return WorkerPresence(
            id=self.name,
            service=self._service,
            pool=pool,
            models=handler.models,
            device=handler.device,
            slots=loop.slots.count,
            free_slots=loop.slots.free,
            loaded=handler.loaded,
            host=self._host,
            version=self._version,
            started_at=self._started_at,
            sent_at=time.time(),
            memory_bytes=_resident_bytes(),
            devices=self._devices.read(),
            stopping=stopping,
        )


def pool_of(models: tuple[ModelInfo, ...]) -> str:
    """The pool of workers that offer exactly these: the model's name, or a digest of several, or of one with LoRAs.

    LoRAs that come while a worker lives change nothing: it takes jobs for them all the same.
    """
    ids = sorted("\t".join((model.id, *model.loras)) for model in models)
    if len(models) == 1 and not models[0].loras:
        return subject_token(models[0].id)[:48]
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    return f"models-{digest[:12]}"


@contextlib.asynccontextmanager
async def _ends_when_closed(bus: Bus, shutdown: Shutdown) -> AsyncIterator[None]:
    """A connection that was closed for good cannot be mended from inside: stop, so that a supervisor restarts us."""

    async def watch() -> None:
        await bus.closed.wait()
        log.error("the bus closed the connection for good")
        shutdown.request()

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()


def _resident_bytes() -> int:
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return 0
