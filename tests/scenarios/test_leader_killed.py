"""Three nats-servers: the one that leads the jobs is killed, and jobs are accepted before there is another leader."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from contracts.events import Queued
from contracts.jobs import JobState
from runtime.messaging.connection import Bus
from runtime.messaging.intake import accepted_jobs
from runtime.messaging.job_client import JobClient
from runtime.messaging.topology import declare, declare_pool
from tests.conftest import settings_for
from tests.support import builders
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import GatewayProcess
from tests.support.intake import leader, led_apart, moving
from tests.support.nats_cluster import NatsCluster
from tests.support.systems import answering, offering
from tests.support.workers import running_worker

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[NatsCluster]:
    """One of this test's own."""
    cluster = NatsCluster(tmp_path / "cluster").start()
    yield cluster
    cluster.kill()


async def test_jobs_accepted_without_a_leader_are_seen_cancelled_and_drawn_as_any_others(cluster: NatsCluster) -> None:
    """Those that are not cancelled are drawn once."""
    settings = settings_for(cluster)
    async with Bus.connect(settings, "gateway") as bus:
        await declare(bus)
        await declare_pool(bus, "fake")
        jobs = JobClient(bus, "gateway")
        await led_apart(bus)
        cluster.kill_one(await leader(bus, bus.subjects.jobs_stream))
        made = [builders.job(prompt=f"fox {number}") for number in range(6)]
        await asyncio.gather(*(jobs.submit(job) for job in made))
        assert await accepted_jobs(bus) != []

        records = await asyncio.gather(*(jobs.record(job.id) for job in made))
        assert [record and record.state for record in records] == [JobState.QUEUED] * len(made)
        assert {record.job.id for record in await jobs.unfinished()} == {job.id for job in made}
        async with jobs.follow(made[1].id) as events:
            assert isinstance(await anext(events), Queued)
        cancelled = await jobs.cancel(made[0].id)
        assert cancelled is not None
        assert cancelled.state is JobState.CANCELLED

        engine = FakeEngine()
        async with moving(bus), running_worker(settings, engine):

            async def ended() -> bool:
                return not await jobs.unfinished() and not await accepted_jobs(bus)

            await eventually(ended, 90)
        states = await jobs.outcomes([job.id for job in made])
        assert [states[job.id].state for job in made] == [JobState.CANCELLED] + [JobState.SUCCEEDED] * 5
        assert sorted(engine.drawn) == [job.request.prompt for job in made[1:]]


async def test_one_idempotency_key_is_one_job_before_during_and_after_an_election(
    cluster: NatsCluster, tmp_path: Path
) -> None:
    """On whichever gateway it is repeated."""
    settings, engine = settings_for(cluster), FakeEngine()
    with GatewayProcess(settings, tmp_path / "a.log") as one, GatewayProcess(settings, tmp_path / "b.log") as two:
        for gateway in (one, two):
            await answering(gateway)
        async with running_worker(settings, engine), Bus.connect(settings, "test") as bus:
            for gateway in (one, two):
                await offering(gateway)
            await led_apart(bus)
            cluster.kill_one(await leader(bus, bus.subjects.jobs_stream))
            during = await asyncio.gather(*(_ask(gateway) for gateway in (one, two, one, two)))
            (job_id,) = set(during)
            jobs = JobClient(bus, "test")

            async def drawn() -> bool:
                record = await jobs.record(job_id)
                return record is not None and record.state is JobState.SUCCEEDED

            await eventually(drawn, 90)
            assert await asyncio.gather(*(_ask(gateway) for gateway in (one, two))) == [job_id] * 2

            async def moved() -> bool:
                return not await accepted_jobs(bus) and not await jobs.unfinished()

            await eventually(moved, 60)
    assert engine.drawn == ["a fox, once"]


async def _ask(gateway: GatewayProcess) -> str:
    """For the same thing with the same key; its job's id."""
    async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as http:
        headers = {"Idempotency-Key": "only-once"}
        answer = await http.post("/generate/async", json={"prompt": "a fox, once"}, headers=headers)
        assert answer.is_success, answer.text
        job_id: str = answer.json()["job_id"]
        return job_id
