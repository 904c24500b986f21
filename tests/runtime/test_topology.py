"""What an earlier version declared is brought up to date, with what it holds."""

from __future__ import annotations

import asyncio

from contracts.events import Finished
from contracts.jobs import JobState
from runtime.messaging.connection import NANOSECONDS, Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.settings import BusSettings
from tests.support import builders
from tests.support.fake_engine import FakeEngine
from tests.support.workers import running_worker


async def test_a_pool_from_before_priorities_is_brought_up_to_date_and_keeps_its_jobs(
    bus: Bus, bus_settings: BusSettings, jobs: JobClient
) -> None:
    stream, name = bus.subjects.jobs_stream, bus.subjects.consumer("fake")
    only = bus.subjects.job("fake", "*")
    old = {
        "name": name,
        "durable_name": name,
        "filter_subject": only,
        "ack_policy": "explicit",
        "ack_wait": 60 * NANOSECONDS,
        "max_waiting": 2048,
        "num_replicas": bus_settings.replicas,
    }
    body = {"stream_name": stream, "config": old, "action": "create"}
    await bus.api(f"CONSUMER.CREATE.{stream}.{name}.{only}", body)
    job = builders.job()
    await jobs.submit(job)
    async with asyncio.timeout(30), running_worker(bus_settings, FakeEngine(), name="new"), jobs.follow(job.id) as all_:
        ends = [event.outcome.state async for event in all_ if isinstance(event, Finished)]
    assert ends == [JobState.SUCCEEDED]
    now = (await bus.api(f"CONSUMER.INFO.{stream}.{name}"))["config"]
    assert now["priority_policy"] == "prioritized"
    assert now["ack_wait"] == bus_settings.ack_wait_s * NANOSECONDS


async def test_a_single_server_has_no_intake(bus: Bus) -> None:
    names = (await bus.api("STREAM.NAMES", {"subject": f"{bus.settings.namespace}.>"}))["streams"]
    assert bus.subjects.jobs_stream in names
    assert bus.subjects.intake_stream not in names
