"""Workers that differ in one pool: what a gateway took is drawn by one that can, and fails only where none can."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from contracts.errors import ErrorCode
from contracts.events import Finished, Released, Started
from contracts.jobs import JobState
from runtime.messaging.job_client import JobClient
from runtime.messaging.settings import BusSettings
from runtime.worker import execution
from tests.support import builders
from tests.support.fake_engine import FakeEngine, fake_model
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

DEEP = ("deepcache:3",)


def engine(caches: tuple[str, ...] = ()) -> FakeEngine:
    made = FakeEngine()
    made.models = (msgspec.structs.replace(fake_model(), caches=caches),)
    return made


@pytest.fixture
async def torch(bus_settings: BusSettings) -> AsyncIterator[FakeEngine]:
    made = engine(DEEP)
    async with running_worker(bus_settings, made, name="torch", pool="torch"):
        yield made


@pytest.fixture(autouse=True)
def offered_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "ELSEWHERE_DELAY_S", 0.1)


async def test_pictures_with_a_step_cache_are_drawn_where_there_is_one(
    torch: FakeEngine, bus_settings: BusSettings, start_gateway: StartGateway
) -> None:
    other = engine()
    async with (
        running_worker(bus_settings, other, name="openvino", pool="openvino", slots=4),
        start_gateway() as gateway,
        httpx.AsyncClient(base_url=gateway.url, timeout=60) as http,
    ):
        await offering(gateway)
        for number in range(4):
            answer = await http.post("/generate", json={"prompt": f"fox {number}", "cache": "deepcache"})
            assert answer.is_success, answer.text
        assert len(torch.drawn) == 4
        assert other.drawn == []


async def test_a_job_that_a_worker_of_its_pool_lacks_the_cache_for_is_drawn_by_another(
    bus_settings: BusSettings, jobs: JobClient
) -> None:
    """The first came after the job was taken: a gateway would have refused it."""
    job = builders.job(pool="shared", cache="deepcache:3")
    patient = msgspec.structs.replace(bus_settings, max_deliver=999)
    first, second = engine(), engine(DEEP)
    async with (
        running_worker(patient, first, name="openvino", pool="shared"),
        jobs.follow(job.id, fresh=True) as events,
    ):
        await jobs.submit(job)
        assert [type(await anext(events)) for _ in range(2)] == [Started, Released]
        async with running_worker(patient, second, name="torch", pool="shared"):
            end = [event.outcome async for event in events if isinstance(event, Finished)][-1]
    assert (end.state, end.worker) == (JobState.SUCCEEDED, "torch")
    assert first.drawn == []


async def test_a_job_that_no_worker_of_its_pool_can_draw_fails_with_the_reason(
    bus_settings: BusSettings, jobs: JobClient
) -> None:
    job = builders.job(pool="shared", cache="deepcache:3")
    async with (
        running_worker(bus_settings, engine(), name="openvino", pool="shared"),
        jobs.follow(job.id, fresh=True) as events,
    ):
        await jobs.submit(job)
        end = [event.outcome async for event in events if isinstance(event, Finished)][-1]
    assert (end.state, end.attempt) == (JobState.FAILED, bus_settings.max_deliver)
    assert end.error is not None
    assert (end.error.code, end.error.param) == (ErrorCode.UNSUPPORTED, "cache")
