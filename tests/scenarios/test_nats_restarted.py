"""nats-server is killed and comes back: nothing that was accepted is lost, nothing is drawn twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.events import Finished, Progress
from contracts.jobs import JobState
from runtime.messaging.connection import Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.topology import declare
from tests.conftest import settings_for
from tests.support import builders
from tests.support.fake_engine import FakeEngine
from tests.support.nats_server import NatsServer
from tests.support.workers import running_worker


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server of this test's own."""
    server = NatsServer(tmp_path / "nats").start()
    yield server
    server.kill()


async def test_queued_jobs_survive_a_killed_server(server: NatsServer) -> None:
    """Submitted, killed, restarted; then the first worker comes."""
    settings = settings_for(server)
    engine = FakeEngine()
    submitted = [builders.job(prompt=f"picture {number}") for number in range(12)]
    async with Bus.connect(settings, "gateway") as bus:
        await declare(bus)
        jobs = JobClient(bus, "gateway")
        await asyncio.gather(*(jobs.submit(job) for job in submitted))
        server.kill()
        server.start()
        async with running_worker(settings, engine):
            for job in submitted:
                async with asyncio.timeout(20), jobs.follow(job.id) as events:
                    outcome = [event async for event in events][-1].outcome  # type: ignore[union-attr]
                assert outcome.state is JobState.SUCCEEDED
    assert sorted(engine.drawn) == sorted(job.request.prompt for job in submitted)


async def test_a_running_job_and_its_follower_survive_a_killed_server(server: NatsServer) -> None:
    """The follower sees every step once and the end, across the outage; an idle worker takes the next job at once."""
    settings = settings_for(server)
    async with Bus.connect(settings, "gateway") as bus:
        await declare(bus)
        jobs = JobClient(bus, "gateway")
        job = builders.job(num_inference_steps=60)
        async with running_worker(settings, FakeEngine(step_s=0.05)), asyncio.timeout(40):
            async with jobs.follow(job.id, fresh=True) as events:
                await jobs.submit(job)
                seen = []
                async for event in events:
                    seen.append(event)
                    if isinstance(event, Progress) and event.step == 5:
                        server.kill()
                        server.start()
            assert isinstance(seen[-1], Finished)
            assert seen[-1].outcome.state is JobState.SUCCEEDED
            last = [
                event.step for event in seen if isinstance(event, Progress) and event.id.attempt == seen[-2].id.attempt
            ]
            assert last == sorted(set(last))
            assert last[-1] == 60
            after = builders.job(num_inference_steps=1)
            async with asyncio.timeout(5), jobs.follow(after.id, fresh=True) as events:
                await jobs.submit(after)
                assert [event async for event in events][-1].outcome.state is JobState.SUCCEEDED  # type: ignore[union-attr]
