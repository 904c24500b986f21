"""Enhancers for tests: in this process with a language model that the test speaks for, or as processes to kill."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

from contracts.prompts import ENHANCER
from runtime.messaging.connection import Bus
from runtime.messaging.settings import BusSettings
from runtime.process.shutdown import Shutdown
from runtime.worker.run import Worker
from runtime.worker.settings import WorkerSettings
from services.enhancer.engines.http_model import HttpModel
from services.enhancer.enhancer import Enhancer
from services.enhancer.handler import EnhanceHandler
from tests.support.bus_environment import bus_environment
from tests.support.chat_server import ChatServer
from tests.support.workers import live


@contextlib.asynccontextmanager
async def running_enhancer(
    settings: BusSettings, server: ChatServer, *, name: str = "enhancer", seen_by: BusSettings | None = None
) -> AsyncIterator[Shutdown]:
    """An enhancer in this event loop, live on the bus; ends softly with the block."""
    worker = Worker(ENHANCER, WorkerSettings(name=name, slots=4, pool=ENHANCER), settings)
    shutdown = Shutdown(20.0)

    def make(bus: Bus, _: str) -> EnhanceHandler:
        return EnhanceHandler(Enhancer(HttpModel(server.url), rewrites=True, max_waiting=32, cache_size=0), bus)

    task = asyncio.create_task(worker.serve(make, shutdown))
    try:
        await live(seen_by or settings, name, task)
        yield shutdown
    finally:
        server.gate.set()
        shutdown.soft.set()
        await asyncio.wait_for(task, 30)


class EnhancerProcess:
    """`python -m services.enhancer` with a server as its language model, so that it can be killed."""

    def __init__(self, settings: BusSettings, name: str, url: str, log: Path) -> None:
        self.name = name
        environment = (
            os.environ
            | bus_environment(settings)
            | {
                "EASEL_WORKER_NAME": name,
                "EASEL_ENHANCER_URL": url,
                "EASEL_ENHANCER_CACHE_SIZE": "0",
            }
        )
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.enhancer"], env=environment, stdout=out, stderr=out
            )

    def kill(self) -> None:
        """-9, at once."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
