"""A worker is asked to load, move and unload over the bus; what does not fit its memory fails alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("diffusers")

import torch
from msgspec.structs import asdict

from contracts.errors import EaselError, ErrorCode
from contracts.jobs import JobOutcome, JobState
from runtime.messaging.connection import Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.preparation import prepare, unload
from runtime.messaging.presence import Roster
from runtime.messaging.settings import BusSettings
from runtime.process.shutdown import Shutdown
from runtime.worker.images.handler import ImageHandler
from runtime.worker.run import Worker
from runtime.worker.settings import WorkerSettings
from services.diffusion.catalogue import Catalogue
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.torch_backend import TorchBackend
from tests.support import builders
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.torch_fixtures import one_torch_thread, tiny_model  # noqa: F401  fixtures are found by name
from tests.support.workers import live, running_worker

pytestmark = pytest.mark.usefixtures("one_torch_thread")


class _Worker:
    """A worker with two tiny models, nothing loaded yet."""

    def __init__(self, settings: BusSettings, engine: DiffusersEngine, **options: float) -> None:
        self._settings = settings
        self._engine = engine
        self._options = options
        self._shutdown = Shutdown(20.0)

    async def __aenter__(self) -> str:
        worker = Worker("diffusion", WorkerSettings(name="painter"), self._settings)
        self._task = asyncio.create_task(
            worker.serve(
                lambda bus, name: ImageHandler(self._engine, bus, name, preload=(), **self._options), self._shutdown
            )
        )
        await live(self._settings, "painter", self._task)
        return "painter"

    async def __aexit__(self, *_: object) -> None:
        self._shutdown.soft.set()
        await asyncio.wait_for(self._task, 30)


@pytest.fixture
def engine(tiny_model: Callable[[str], Path]) -> DiffusersEngine:  # noqa: F811
    models = [Catalogue().find(str(tiny_model(family))) for family in ("stable-diffusion", "flux-schnell")]
    return DiffusersEngine(models, "cpu")


async def test_a_model_is_loaded_on_demand_and_shown(
    bus: Bus, bus_settings: BusSettings, engine: DiffusersEngine
) -> None:
    stages: list[str] = []
    async with _Worker(bus_settings, engine) as worker, Roster(bus) as roster:
        done = await prepare(bus, worker, "tiny-flux-schnell", on_stage=stages.append)
        assert (done.device, done.loaded) == ("cpu", ("tiny-flux-schnell",))
        assert stages[-1] == "loading tiny-flux-schnell on cpu"

        async def shown() -> bool:
            return any(present.loaded == ("tiny-flux-schnell",) for present in roster.workers())

        await eventually(shown)


async def test_the_first_model_is_meant_where_none_is_named(
    bus: Bus, bus_settings: BusSettings, engine: DiffusersEngine
) -> None:
    async with _Worker(bus_settings, engine) as worker:
        assert (await prepare(bus, worker)).loaded == ("tiny-stable-diffusion",)


async def test_the_model_unused_for_longest_makes_room_and_one_is_unloaded_on_demand(
    bus: Bus, bus_settings: BusSettings, engine: DiffusersEngine
) -> None:
    async with _Worker(bus_settings, engine) as worker:
        await prepare(bus, worker, "tiny-stable-diffusion")
        assert (await prepare(bus, worker, "tiny-flux-schnell")).loaded == ("tiny-flux-schnell",)
        assert (await unload(bus, worker, "tiny-flux-schnell")).loaded == ()


async def test_a_device_that_is_not_there_is_refused_with_those_that_are(
    bus: Bus, bus_settings: BusSettings, engine: DiffusersEngine
) -> None:
    async with _Worker(bus_settings, engine) as worker:
        await prepare(bus, worker, "tiny-stable-diffusion")
        with pytest.raises(EaselError, match=r"no device 'cuda:7' here: .* finds .*cpu") as caught:
            await prepare(bus, worker, "tiny-stable-diffusion", "cuda:7")
        assert caught.value.code == ErrorCode.ENGINE_FAILED
        assert engine.loaded == ("tiny-stable-diffusion",)


async def test_a_model_that_is_not_offered_is_refused(
    bus: Bus, bus_settings: BusSettings, engine: DiffusersEngine
) -> None:
    async with _Worker(bus_settings, engine) as worker:
        for asked in (prepare(bus, worker, "no-such"), unload(bus, worker, "no-such")):
            with pytest.raises(EaselError) as caught:
                await asked
            assert caught.value.code == ErrorCode.MODEL_NOT_FOUND


async def test_a_worker_that_is_not_there_is_said_to_be_away(bus: Bus) -> None:
    with pytest.raises(EaselError, match="nobody is not connected") as caught:
        await prepare(bus, "nobody")
    assert caught.value.code == ErrorCode.UNAVAILABLE


async def test_a_worker_that_stays_as_it_is_says_so(bus: Bus, bus_settings: BusSettings) -> None:
    async with running_worker(bus_settings, FakeEngine(), name="still"):
        assert (await prepare(bus, "still", "fake")).loaded == ("fake",)
        with pytest.raises(EaselError, match="draws on cpu") as caught:
            await prepare(bus, "still", "fake", "cuda")
        assert caught.value.code == ErrorCode.UNSUPPORTED


async def test_preparing_waits_for_the_picture_being_drawn(
    bus: Bus, jobs: JobClient, bus_settings: BusSettings
) -> None:
    engine, stages = FakeEngine(), asyncio.Queue[str]()
    async with running_worker(bus_settings, engine, name="busy"):
        await jobs.submit(builders.job(prompt="gate"))
        await eventually(lambda: asyncio.sleep(0, bool(engine.drawn)))
        asked = asyncio.create_task(prepare(bus, "busy", "fake", on_stage=stages.put_nowait))
        assert await asyncio.wait_for(stages.get(), 30) == "waiting for the picture being drawn"
        assert not asked.done()
        engine.gate.set()
        assert (await asyncio.wait_for(asked, 30)).loaded == ("fake",)


async def test_an_idle_worker_gives_its_memory_back(
    bus: Bus, bus_settings: BusSettings, engine: DiffusersEngine
) -> None:
    async with _Worker(bus_settings, engine, idle_unload_s=0.2) as worker:
        await prepare(bus, worker, "tiny-stable-diffusion")

        async def empty() -> bool:
            return engine.loaded == ()

        await eventually(empty)


async def _outcome(jobs: JobClient, engine: DiffusersEngine, model: str) -> JobOutcome:
    from runtime.worker.run import pool_of
    from tests.conformance.image_engine import request_for

    info = next(info for info in engine.models if info.id == model)
    asked = builders.job(pool=pool_of(engine.models), **asdict(request_for(info)))
    async with asyncio.timeout(60), jobs.follow(asked.id, fresh=True) as events:
        await jobs.submit(asked)
        return [event async for event in events][-1].outcome  # type: ignore[union-attr]


async def test_a_job_whose_model_does_not_fit_fails_with_the_figures_and_the_next_is_drawn(
    jobs: JobClient,
    bus_settings: BusSettings,
    tiny_model: Callable[[str], Path],  # noqa: F811
) -> None:
    models = [Catalogue().find(str(tiny_model(family))) for family in ("stable-diffusion-xl", "flux-schnell")]
    sizes = [TorchBackend("cpu").size(model) for model in models]
    assert sizes[0] > sizes[1]
    engine = DiffusersEngine(models, "cpu", memory_gb=sum(sizes) / 2e9)
    async with _Worker(bus_settings, engine):
        failed = await _outcome(jobs, engine, "tiny-stable-diffusion-xl")
        drawn = await _outcome(jobs, engine, "tiny-flux-schnell")
    assert failed.error is not None
    assert "EASEL_DIFFUSION_MEMORY_GB" in failed.error.message
    assert drawn.state is JobState.SUCCEEDED


async def test_a_job_that_runs_out_of_memory_fails_and_the_next_is_drawn(
    jobs: JobClient, bus_settings: BusSettings, engine: DiffusersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The allocator's exception is raised where a real one would be; no test can fill the memory of every machine."""

    def refuse(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    engine.load("tiny-stable-diffusion")
    async with _Worker(bus_settings, engine):
        with monkeypatch.context() as patched:
            patched.setattr(engine._cache.find("tiny-stable-diffusion").pipe.unet, "forward", refuse)
            failed = await _outcome(jobs, engine, "tiny-stable-diffusion")
        drawn = await _outcome(jobs, engine, "tiny-stable-diffusion")
    assert failed.error is not None
    assert "ran out of memory" in failed.error.message
    assert drawn.state is JobState.SUCCEEDED


async def test_preloaded_models_are_there_when_the_worker_first_announces_itself(bus_settings: BusSettings) -> None:
    engine = FakeEngine(models=("first", "second", "third"))
    async with Bus.connect(bus_settings, "test-roster") as bus, Roster(bus) as roster:
        async with running_worker(bus_settings, engine, name="ready", preload=("third", "first")):
            await eventually(lambda: _is_announced(roster, "ready"))
            (announced,) = [present for present in roster.workers() if present.id == "ready"]
    assert announced.loaded == ("third", "first")
    assert engine.was_loaded == ["third", "first"]


async def _is_announced(roster: Roster, name: str) -> bool:
    return any(present.id == name for present in roster.workers())


async def test_a_model_that_cannot_be_preloaded_stops_the_start_with_the_reason(bus_settings: BusSettings) -> None:
    with pytest.raises(EaselError, match="no model 'gone'"):
        async with running_worker(bus_settings, FakeEngine(), name="unready", preload=("gone",)):
            pytest.fail("it took jobs")
