"""From a worker's start (without a model) to its first job; from its end to its job's next attempt elsewhere."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path

import structlog

from benchmarks.figures import median, milliseconds, table
from contracts.events import Progress, Started
from runtime.messaging.connection import Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.settings import BusSettings
from runtime.messaging.topology import declare
from tests.support import builders
from tests.support.fake_engine import FakeEngine
from tests.support.nats_server import NatsServer
from tests.support.workers import running_worker

ROUNDS = 20


async def measure() -> str:
    """Both, on the bus alone."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as folder:
        server = NatsServer(Path(folder)).start()
        settings = BusSettings(url=server.url, namespace="bench")
        try:
            async with Bus.connect(settings, "bench") as bus:
                await declare(bus)
                jobs = JobClient(bus, "bench")
                joins = [await _join(settings, jobs) for _ in range(ROUNDS)]
                leaves = [await _leave(settings, jobs) for _ in range(ROUNDS)]
        finally:
            server.stop()
    rows = [
        [name, milliseconds(median(delays)), milliseconds(max(delays))]
        for name, delays in (("joins", joins), ("leaves", leaves))
    ]
    return table(["a worker", "p50, ms", "most, ms"], rows)


async def _join(settings: BusSettings, jobs: JobClient) -> float:
    """Seconds until a job that waits is begun by the worker that comes."""
    waiting = builders.job()
    async with jobs.follow(waiting.id, fresh=True) as events:
        await jobs.submit(waiting)
        began = time.time()
        async with running_worker(settings, FakeEngine(), name="joining"):
            starts = [event.at - began async for event in events if isinstance(event, Started)]
    return starts[0]


async def _leave(settings: BusSettings, jobs: JobClient) -> float:
    """Seconds until a job that its worker gives back is begun by another that is free."""
    job = builders.job(num_inference_steps=200)
    told = 0.0
    leaver, heir = FakeEngine(step_s=0.05), FakeEngine()
    async with (
        jobs.follow(job.id, fresh=True) as events,
        running_worker(settings, leaver, name="leaver", soft_stop_s=0.0) as shutdown,
    ):
        await jobs.submit(job)
        async for event in events:
            if isinstance(event, Progress):
                break
        async with running_worker(settings, heir, name="heir"):
            told = time.time()
            shutdown.request()
            starts = [event.at - told async for event in events if isinstance(event, Started)]
    return starts[0]
