"""Waiting for jobs where there is no queue yet."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from runtime.messaging.connection import Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.job_queue import JobQueue
from runtime.messaging.topology import declare_pool
from tests.support.builders import job
from tests.support.eventually import eventually


async def test_a_worker_that_comes_before_its_queue_waits_quietly_and_gets_the_first_job(
    bus: Bus, jobs: JobClient
) -> None:
    subjects, made = bus.subjects, job(pool="new")
    heard = bus.client.stats["in_msgs"]

    async def refused() -> bool:
        return bus.client.stats["in_msgs"] > heard

    with capture_logs() as said:
        async with JobQueue(bus, subjects.jobs_stream, subjects.consumer("new"), asyncio.Event(), 0).open() as queue:
            waiting = asyncio.create_task(queue.next())
            await eventually(refused)
            await declare_pool(bus, "new")
            await jobs.submit(made)
            async with asyncio.timeout(10):
                delivery = await waiting
            assert delivery is not None
            assert delivery.job_id == made.id
            await delivery.ack()
    assert [line for line in said if line["log_level"] == "warning"] == []
