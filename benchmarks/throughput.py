"""Jobs a second with 1, 2 and 4 workers on an engine of fixed duration, asked by 64 clients at once."""

from __future__ import annotations

import asyncio
import time

from benchmarks.figures import table
from benchmarks.system import System, running

STEP_S, STEPS = 0.0625, 4
CLIENTS, JOBS_PER_WORKER = 64, 60
WORKERS = (1, 2, 4)


async def measure() -> str:
    """A row for each number of workers; the ideal is workers divided by duration."""
    rates: dict[int, float] = {}
    for workers in WORKERS:
        async with running(workers, step_s=STEP_S) as system:
            rates[workers] = await _rate(system, JOBS_PER_WORKER * workers)
    duration = STEP_S * STEPS
    rows = [
        [str(n), f"{rate:.2f}", f"{rate * duration / n:.1%}", f"**{rate / rates[1]:.2f}**"] for n, rate in rates.items()
    ]
    return table(["workers", "jobs/s", "share of the ideal", "times one worker"], rows)


async def _rate(system: System, jobs: int) -> float:
    remaining = iter(range(jobs))

    async def client() -> None:
        for number in remaining:
            body = {"model": "fake", "prompt": "bench", "size": "64x64", "seed": number, "steps": STEPS}
            (await system.http.post("/v1/images/generations", json=body)).raise_for_status()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return jobs / (time.perf_counter() - started)
