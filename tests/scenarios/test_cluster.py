"""Three nats-servers, three copies: the leader of the jobs is killed under load.

`make test-cluster` runs the other scenarios on such a cluster too, and holds the recovery to its promise.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from contracts.errors import EaselError
from contracts.jobs import Job, JobState
from runtime.messaging.bus_state import read_state
from runtime.messaging.connection import Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.topology import declare, declare_pool
from tests.conftest import settings_for
from tests.support import builders
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.intake import led_apart, moving
from tests.support.nats_cluster import SIZE, NatsCluster
from tests.support.workers import running_worker

RECOVERY_S = 6.0 if os.environ.get("EASEL_TEST_CLUSTER") else 30.0
"""Seconds without an accepted job; not held to the promise where other tests run beside this one."""
JOBS = 90


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[NatsCluster]:
    """One of this test's own."""
    cluster = NatsCluster(tmp_path / "cluster").start()
    yield cluster
    cluster.kill()


@pytest.mark.timeout(240)
async def test_nothing_is_lost_and_nothing_twice_when_the_leader_is_killed_under_load(cluster: NatsCluster) -> None:
    """Jobs are submitted all the time; the killed server catches up when it is back."""
    settings = settings_for(cluster)
    accepted: dict[str, float] = {}
    async with Bus.connect(settings, "gateway") as bus:
        await declare(bus)
        jobs = JobClient(bus, "gateway")
        async with (
            moving(bus),
            running_worker(settings, FakeEngine(step_s=0.01), name="a"),
            running_worker(settings, FakeEngine(step_s=0.01), name="b"),
        ):
            await led_apart(bus)
            submitting = [asyncio.create_task(_submit(jobs, accepted)) for _ in range(3)]
            await eventually(_so_many(accepted, JOBS // 3), 60)
            leader = (await bus.api(f"STREAM.INFO.{bus.subjects.jobs_stream}"))["cluster"]["leader"]
            cluster.kill_one(leader)
            killed_at = time.monotonic()
            await asyncio.gather(*submitting)
            after = sorted(moment for moment in accepted.values() if moment > killed_at)
            await eventually(lambda: _all_ended(jobs), 90)
            records = [await jobs.record(job_id) for job_id in accepted]
            assert Counter(record and record.state for record in records) == {JobState.SUCCEEDED: len(accepted)}
            info = await bus.api(f"STREAM.INFO.{bus.subjects.outcomes_stream}")
            assert info["state"]["messages"] == len(accepted)
            gaps = [later - sooner for sooner, later in zip([killed_at, *after], after, strict=False)]
            assert max(gaps) < RECOVERY_S
            cluster.start_one(leader)

            assert await eventually(lambda: _whole(bus), 60)


async def test_one_copy_of_everything_becomes_three_when_the_setting_says_so(cluster: NatsCluster) -> None:
    """As processes start anew, several at once; what waits is kept, and drawn."""
    three = settings_for(cluster)
    async with Bus.connect(msgspec.structs.replace(three, replicas=1), "before") as bus:
        await declare(bus)
        await declare_pool(bus, "fake")
        waiting = [builders.job() for _ in range(3)]
        for job in waiting:
            await JobClient(bus, "before").submit(job)
    async with (
        asyncio.timeout(90),
        running_worker(three, FakeEngine(), name="a"),
        running_worker(three, FakeEngine(), name="b"),
        Bus.connect(three, "after") as bus,
    ):
        jobs = JobClient(bus, "after")
        await eventually(lambda: _all_ended(jobs), 60)
        records = [await jobs.record(job.id) for job in waiting]
        assert {record and record.state for record in records} == {JobState.SUCCEEDED}

        async def copies() -> bool:
            pool = await bus.api(f"CONSUMER.INFO.{bus.subjects.jobs_stream}.{bus.subjects.consumer('fake')}")
            others = pool.get("cluster", {}).get("replicas", ())
            return await _whole(bus) and len(others) == SIZE - 1

        assert await eventually(copies, 60)


async def _whole(bus: Bus) -> bool:
    """Whether every stream has all of its copies; False too while one has no leader."""
    with contextlib.suppress(EaselError):
        return all(stream.replicas == SIZE for stream in (await read_state(bus)).streams)
    return False


async def _submit(jobs: JobClient, accepted: dict[str, float]) -> None:
    """As a client that tries again does."""
    for _ in range(JOBS // 3):
        job: Job = builders.job()
        while job.id not in accepted:
            try:
                await jobs.submit(job)
            except EaselError:
                continue
            accepted[job.id] = time.monotonic()
        await asyncio.sleep(0.03)  # the load of a client, not a wait


def _so_many(accepted: dict[str, float], count: int):
    async def look() -> bool:
        return len(accepted) >= count

    return look


async def _all_ended(jobs: JobClient) -> bool:
    """False too while nobody answers."""
    with contextlib.suppress(EaselError):
        return not await jobs.unfinished()
    return False
