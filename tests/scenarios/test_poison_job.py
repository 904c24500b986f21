"""A job that kills every worker ends as failed, and its owner reads why."""

from __future__ import annotations

import asyncio

from contracts.jobs import JobRecord, JobState
from runtime.messaging.connection import Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.reaper import DeadLetterReaper
from runtime.messaging.settings import BusSettings
from tests.support import builders
from tests.support.eventually import eventually
from tests.support.workers import WorkerProcess


async def test_a_poison_job_fails_after_the_last_delivery_and_the_queue_is_clean(
    bus: Bus, bus_settings: BusSettings, jobs: JobClient
) -> None:
    """Each delivery costs one worker; the reaper tells the owner and removes the job."""
    job = builders.job(prompt="poison")
    stop = asyncio.Event()
    reaper = asyncio.create_task(DeadLetterReaper(bus, "test-gateway").run(stop))
    await jobs.submit(job)
    deaths = 0
    worker = WorkerProcess(bus_settings, "poisoned-0")

    async def failed() -> JobRecord | None:
        nonlocal deaths, worker
        if worker.process.poll() is not None:
            deaths += 1
            worker = WorkerProcess(bus_settings, f"poisoned-{deaths}")
        record = await jobs.record(job.id)
        return record if record is not None and record.state.is_terminal else None

    try:
        record = await eventually(failed, within_s=60)
    finally:
        worker.kill()
        stop.set()
        await reaper
    assert record is not None
    assert record.state is JobState.FAILED
    assert record.outcome is not None
    assert record.outcome.error is not None
    assert "3 workers" in record.outcome.error.message
    assert deaths == bus_settings.max_deliver
    depth = await jobs.depth("fake")
    assert (depth.waiting, depth.running) == (0, 0)
