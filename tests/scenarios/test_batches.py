"""Jobs that come one after the other are drawn together by one worker, and each picture is the one drawn alone."""

from __future__ import annotations

import asyncio
import dataclasses
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("diffusers")

from msgspec.structs import asdict
from PIL import Image

from contracts.events import Finished, Progress
from contracts.jobs import Job, JobState
from runtime.messaging.connection import Bus
from runtime.messaging.image_store import ImageStore
from runtime.messaging.job_client import JobClient
from runtime.messaging.presence import Roster
from runtime.messaging.settings import BusSettings
from runtime.worker.run import pool_of
from services.diffusion.catalogue import Catalogue
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from tests.conformance.image_engine import Steps, pixels, request_for
from tests.support import builders
from tests.support.eventually import eventually
from tests.support.torch_fixtures import one_torch_thread, tiny_model  # noqa: F401  fixtures are found by name
from tests.support.workers import serving

pytestmark = [
    pytest.mark.usefixtures("one_torch_thread"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
JOBS, SLOTS, ROUNDING = 8, 4, 2
SCHEDULERS = ("PLMS", "Euler", "DDIM", "DPM++ 2M")


@pytest.fixture
async def engine(
    bus_settings: BusSettings,
    tiny_model: Callable[[str], Path],  # noqa: F811
) -> AsyncIterator[DiffusersEngine]:
    """Of a worker with four slots that serves the bus."""
    engine = DiffusersEngine(
        [Catalogue().find(str(tiny_model("stable-diffusion")))], "cpu", max_batch=SLOTS, prompt_cache_mb=1
    )
    async with serving(bus_settings, engine):
        yield engine


def _jobs(engine: DiffusersEngine) -> list[Job]:
    """No two alike."""
    info = engine.models[0]
    requests = [
        request_for(
            info,
            seed=number,
            prompt=f"{number} foxes",
            scheduler=SCHEDULERS[number % len(SCHEDULERS)],
            num_inference_steps=6 + number % 5,
            guidance_scale=float(number % 3 * 4),
        )
        for number in range(JOBS)
    ]
    return [builders.job(pool=pool_of(engine.models), **asdict(request)) for request in requests]


async def _drawn(bus: Bus, jobs: JobClient, job: Job, begun: asyncio.Event) -> np.ndarray[Any, Any]:
    """Its picture; `begun` is set at its first step."""
    async with asyncio.timeout(90), jobs.follow(job.id, fresh=True) as events:
        await jobs.submit(job)
        async for event in events:
            if isinstance(event, Progress):
                begun.set()
            if isinstance(event, Finished):
                break
    assert event.outcome.state is JobState.SUCCEEDED
    data = await ImageStore(bus).get(event.outcome.images[0])
    return pixels([Image.open(io.BytesIO(data))])


async def test_staggered_jobs_share_a_worker_and_stay_what_they_are_alone(
    bus: Bus, jobs: JobClient, engine: DiffusersEngine
) -> None:
    """Each comes when the one before has made a step; the first waits with its second for another's call."""
    asked = _jobs(engine)
    alone = [pixels(engine.generate(job.request, Steps())) for job in asked]
    loaded, together = engine._cache.peek(engine.models[0].id), list[int]()
    assert loaded is not None
    plain = loaded.adapters.plain

    def spy(calls: Any) -> list[Any]:
        together.append(len(calls))
        if together == [1, 1]:  # nobody else has come yet
            thread = engine._thread
            with thread._changed:
                assert thread._changed.wait_for(lambda: thread._waiting, 60)
        return plain.run(calls)

    loaded.adapters.plain = dataclasses.replace(plain, run=spy)
    drawing = list[asyncio.Task[np.ndarray[Any, Any]]]()
    for job in asked:
        begun = asyncio.Event()
        drawing.append(asyncio.create_task(_drawn(bus, jobs, job, begun)))
        if len(drawing) % SLOTS:
            await asyncio.wait_for(begun.wait(), 60)
    pictures = await asyncio.gather(*drawing)
    loaded.adapters.plain = plain
    assert 1 < max(together) <= SLOTS
    for expected, picture in zip(alone, pictures, strict=True):
        assert np.abs(picture - expected).max() <= ROUNDING


async def test_a_worker_shows_how_many_jobs_it_draws_at_once(bus: Bus, engine: DiffusersEngine) -> None:
    async with Roster(bus) as roster:

        async def shown() -> bool:
            return any((it.slots, it.free_slots) == (SLOTS, SLOTS) for it in roster.workers())

        await eventually(shown)
