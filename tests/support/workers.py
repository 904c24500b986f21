"""Workers for tests: in this process, on a real bus, with an engine that the test holds in its hand."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Self

from runtime.messaging.connection import Bus
from runtime.messaging.presence import Roster
from runtime.messaging.settings import BusSettings
from runtime.process.hardware import Devices
from runtime.process.shutdown import Shutdown
from runtime.worker.images.engine import ImageEngine
from runtime.worker.images.handler import ImageHandler
from runtime.worker.images.output import PLAIN, Output
from runtime.worker.run import Worker
from runtime.worker.settings import WorkerSettings
from tests.support.bus_environment import bus_environment
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine


@contextlib.asynccontextmanager
async def running_worker(
    settings: BusSettings,
    engine: FakeEngine,
    *,
    name: str = "",
    pool: str = "",
    slots: int = 1,
    priority: int = 0,
    soft_stop_s: float = 20.0,
    preload: Sequence[str] | None = None,
    devices: Devices | None = None,
    output: Output = PLAIN,
    seen_by: BusSettings | None = None,
) -> AsyncIterator[Shutdown]:
    """A worker in this event loop, live on the bus; ends softly with the block. Yields its shutdown.

    `seen_by`: a gateway's credentials, for a worker whose own may not look who is there.
    """
    chosen = WorkerSettings(name=name, pool=pool, slots=slots, priority=priority)
    worker = Worker("diffusion", chosen, settings, devices)
    shutdown = Shutdown(soft_stop_s)

    def make(bus: Bus, author: str) -> ImageHandler:
        return ImageHandler(engine, bus, author, preload=preload, output=output)

    task = asyncio.create_task(worker.serve(make, shutdown))
    try:
        await live(seen_by or settings, worker.name, task)
        yield shutdown
    finally:
        engine.gate.set()
        shutdown.soft.set()
        await asyncio.wait_for(task, 30)


@contextlib.asynccontextmanager
async def serving(settings: BusSettings, engine: ImageEngine, name: str = "painter") -> AsyncIterator[None]:
    """A worker of any engine in this event loop, live on the bus; ends softly with the block."""
    worker, shutdown = Worker("diffusion", WorkerSettings(name=name), settings), Shutdown(20.0)
    task = asyncio.create_task(worker.serve(lambda bus, author: ImageHandler(engine, bus, author), shutdown))
    try:
        await live(settings, name, task)
        yield
    finally:
        shutdown.soft.set()
        async with asyncio.timeout(60):
            await task


async def live(settings: BusSettings, name: str, task: asyncio.Task[None] | None = None) -> None:
    """Return when the worker `name` is on the roster."""

    async def look() -> bool:
        if task is not None and task.done():
            task.result()
        return any(presence.id == name for presence in roster.workers())

    async with Bus.connect(settings, "test-roster", inbox="gateway") as bus, Roster(bus) as roster:
        await eventually(look)


class WorkerProcess:
    """A worker in a process of its own, so that it can be killed: a fake one, or the service that `module` is."""

    def __init__(
        self,
        settings: BusSettings,
        name: str,
        *,
        step_s: float = 0.0,
        loras: str = "",
        log: str = os.devnull,
        module: str = "tests.support.fake_worker",
        jumpy_clock: bool = False,
    ) -> None:
        self.name = name
        argv = ["tests.support.jumpy_clock", module] if jumpy_clock else [module]
        environment = (
            os.environ
            | bus_environment(settings)
            | {
                "EASEL_WORKER_NAME": name,
                "FAKE_STEP_S": str(step_s),
                "FAKE_LORAS": loras,
            }
        )
        with Path(log).open("ab") as out:
            self.process = subprocess.Popen([sys.executable, "-m", *argv], env=environment, stdout=out, stderr=out)

    def kill(self) -> None:
        """-9, at once."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM and wait; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
