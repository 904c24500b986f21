"""Processor time that a picture costs each process, at full load: what one core of it carries."""

from __future__ import annotations

import asyncio
import time

import psutil

from benchmarks.figures import table
from benchmarks.system import System, running

WORKERS, CLIENTS, JOBS = 2, 16, 300
PICTURES = {"0.3 MB": "320x320", "1.5 MB": "704x704"}


async def measure() -> str:
    """A row for each size: workers draw noise in no time, so nothing else is counted."""
    rows = []
    async with running(WORKERS) as system:
        await _draw(system, "320x320", 20)  # warm
        for title, size in PICTURES.items():
            before, began = _spent(system), time.perf_counter()
            await _draw(system, size, JOBS)
            took = time.perf_counter() - began
            each = {name: (spent - before[name]) / JOBS * 1000 for name, spent in _spent(system).items()}
            carried = [f"{ms:.1f} | {1000 / ms:.0f}" for ms in each.values()]
            rows.append([title, f"{JOBS / took:.0f}", *" | ".join(carried).split(" | ")])
    columns = ("ms", "pictures/s per core")
    names = [f"{name} {column}" for name in ("gateway", "nats-server", "worker") for column in columns]
    return table(["picture", "pictures/s, all on this machine", *names], rows)


async def _draw(system: System, size: str, jobs: int) -> None:
    remaining = iter(range(jobs))

    async def client() -> None:
        for number in remaining:
            body = {"model": "fake", "prompt": "bench", "size": size, "seed": number, "steps": 4}
            (await system.http.post("/v1/images/generations", json=body)).raise_for_status()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


def _spent(system: System) -> dict[str, float]:
    """Seconds of processor time so far."""
    nats = [child for child in psutil.Process().children() if child.name() == "nats-server"]
    workers = [psutil.Process(worker.process.pid) for worker in system.workers]
    of = {"gateway": [psutil.Process(system.gateway.process.pid)], "nats-server": nats, "worker": workers}
    return {name: sum(sum(it.cpu_times()[:2]) for it in found) for name, found in of.items()}
