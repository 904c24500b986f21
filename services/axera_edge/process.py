"""The whole process: one engine, its own HTTP server, jobs from the bus while there is one, and systemd's watchdog."""

from __future__ import annotations

import asyncio

import structlog
from PIL import Image

from contracts.errors import EaselError
from contracts.images import GenerateImage, ModelInfo
from runtime.messaging.connection import Bus, BusError
from runtime.messaging.settings import BusSettings
from runtime.process.shutdown import Shutdown
from runtime.process.waiting import until
from runtime.worker.images.engine import NO_INPUTS, Inputs, OnImageStep
from runtime.worker.images.handler import ImageHandler
from runtime.worker.images.output import PLAIN, Output
from runtime.worker.run import Worker
from runtime.worker.settings import WorkerSettings
from services.axera_edge.engine import EdgeEngine
from services.axera_edge.sd_notify import ServiceManager
from services.axera_edge.settings import EdgeSettings
from services.axera_edge.web.desk import Desk
from services.axera_edge.web.server import serve_http

log = structlog.get_logger()

PAUSE_S = 5.0
"""Between two tries to join the bus."""


class EdgeProcess:
    """One device."""

    def __init__(
        self,
        engine: EdgeEngine,
        settings: EdgeSettings,
        worker: WorkerSettings,
        bus_settings: BusSettings,
        output: Output = PLAIN,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._worker = worker
        self._bus_settings = bus_settings
        self._output = output
        self._manager = ServiceManager()

    async def serve(self) -> bool:
        """Load the model, then work until a signal.

        Returns:
            Whether it ever worked: False when the address of HTTP is taken.

        Raises:
            EaselError: the model cannot be loaded.
        """
        shutdown = Shutdown(self._worker.soft_stop_s)
        shutdown.install()
        watching = asyncio.create_task(self._feed_watchdog())
        try:
            self._manager.tell("STATUS=loading the model")
            await asyncio.to_thread(self._engine.load, self._engine.models[0].id)
            jobs = asyncio.create_task(self._take_jobs(shutdown)) if self._settings.bus else None
            listened = await self._serve_http(shutdown)
            shutdown.soft.set()
            self._manager.tell("STOPPING=1")
            if jobs is not None:
                await jobs
            return listened
        finally:
            watching.cancel()

    async def _serve_http(self, shutdown: Shutdown) -> bool:
        if not self._settings.http:
            self._say_ready()
            await shutdown.soft.wait()
            return True
        desk = Desk(self._engine, self._settings.wait_s, self._settings.max_waiting, self._output)
        return await serve_http(desk, self._settings.host, self._settings.port, shutdown, lambda _: self._say_ready())

    def _say_ready(self) -> None:
        self._manager.tell("READY=1", f"STATUS={self._engine.models[0].id} on {self._engine.device}")

    async def _take_jobs(self, shutdown: Shutdown) -> None:
        """Be a worker whenever the bus is there. Trouble with the bus is no trouble for HTTP."""
        while not shutdown.soft.is_set():
            try:
                await self._join(shutdown)
            except (EaselError, BusError) as fault:
                log.warning("not on the bus", fault=str(fault))
            await until(shutdown.soft, PAUSE_S)

    async def _join(self, shutdown: Shutdown) -> None:
        """One stay on the bus, which a connection closed for good ends too."""
        stay = Shutdown(shutdown.deadline_s)
        follow = asyncio.create_task(_follow(shutdown, stay))
        try:
            await Worker("axera_edge", self._worker, self._bus_settings).serve(self._make_handler, stay)
        finally:
            follow.cancel()

    def _make_handler(self, bus: Bus, name: str) -> ImageHandler:
        return ImageHandler(_Lent(self._engine), bus, name, output=self._output)

    async def _feed_watchdog(self) -> None:
        """Only while the card's thread makes progress or has nothing to do: a hung driver must not look alive."""
        interval = self._manager.watchdog_s / 2
        while interval:
            if self._engine.npu.silent_s < interval:
                self._manager.tell("WATCHDOG=1")
            await asyncio.sleep(interval / 2)


class _Lent:
    """The engine as a worker gets it: it outlives the worker, so closing it does nothing."""

    def __init__(self, engine: EdgeEngine) -> None:
        self._engine = engine

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        return self._engine.models

    @property
    def device(self) -> str:
        return self._engine.device

    @property
    def loaded(self) -> tuple[str, ...]:
        return self._engine.loaded

    def load(self, model: str) -> None:
        self._engine.load(model)

    def generate(
        self, request: GenerateImage, on_step: OnImageStep, inputs: Inputs = NO_INPUTS, /
    ) -> list[Image.Image]:
        return self._engine.generate(request, on_step, inputs)

    def close(self) -> None:
        pass


async def _follow(ours: Shutdown, other: Shutdown) -> None:
    """Hand our two signals on."""
    await ours.soft.wait()
    other.soft.set()
    await ours.hard.wait()
    other.hard.set()
