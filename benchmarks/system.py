"""A durable bus, one gateway and fake workers as processes of their own: what the figures are measured on."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from runtime.messaging.settings import BusSettings
from tests.support.gateways import GatewayProcess
from tests.support.nats_server import NatsServer
from tests.support.workers import WorkerProcess, live


@dataclass
class System:
    """A running system and a client for it."""

    gateway: GatewayProcess
    http: httpx.AsyncClient
    workers: list[WorkerProcess]


@contextlib.asynccontextmanager
async def running(workers: int, *, step_s: float = 0.0, queue_size: int = 1000) -> AsyncIterator[System]:
    """Start everything, wait until it is ready, end everything."""
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        server = NatsServer(folder / "nats").start()
        stack.callback(server.kill)
        settings = BusSettings(url=server.url, namespace="bench", image_bytes=1 << 30)
        gateway = stack.enter_context(
            GatewayProcess(settings, folder / "gateway.log", EASEL_GATEWAY_MAX_QUEUE_SIZE=str(queue_size))
        )
        started = [
            stack.enter_context(WorkerProcess(settings, f"bench-{number}", step_s=step_s, log=str(folder / "w.log")))
            for number in range(workers)
        ]
        for worker in started:
            await live(settings, worker.name)
        async with httpx.AsyncClient(base_url=gateway.url, timeout=120) as http:
            await _ready(http)
            yield System(gateway, http, started)


async def _ready(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get("/readyz")).is_success:
                    return
            await asyncio.sleep(0.05)
