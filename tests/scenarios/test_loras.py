"""LoRAs on the bus: a real worker announces them, draws with each apart from the others, and says what it has not."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

pytest.importorskip("diffusers")

from PIL import Image

from contracts.images import Lora
from runtime.messaging.settings import BusSettings
from services.diffusion.catalogue import Catalogue
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.loras.lora_folder import LoraFolder
from tests.conformance.image_engine import Steps, pixels, request_for
from tests.gateway.conftest import OpenGateway, open_gateway  # noqa: F401  fixtures are found by name
from tests.support import tiny_loras as files
from tests.support import tiny_models
from tests.support.eventually import eventually
from tests.support.torch_fixtures import (  # noqa: F401  fixtures are found by name
    one_torch_thread,
    tiny_loras,
    tiny_model,
)
from tests.support.workers import serving

pytestmark = [
    pytest.mark.usefixtures("one_torch_thread"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
ROUNDING = 2


@pytest.fixture
async def engine(
    bus_settings: BusSettings,
    tmp_path: Path,
    tiny_model: Callable[[str], Path],  # noqa: F811
) -> AsyncIterator[DiffusersEngine]:
    """Of a worker with four slots, whose folder has the LoRAs `a` and `styles/b`."""
    for seed, name in enumerate(("a", "styles/b")):
        pipe = tiny_models.PIPELINES["stable-diffusion"]()
        files.build(pipe, tmp_path / f"{name}.safetensors", seed=seed)
    model = Catalogue().find(str(tiny_model("stable-diffusion")))
    loras = LoraFolder(tmp_path, look_every_s=0)
    engine = DiffusersEngine([model], "cpu", max_batch=4, prompt_cache_mb=1, loras=loras)
    async with serving(bus_settings, engine):
        yield engine


@pytest.fixture
async def http(engine: DiffusersEngine, open_gateway: OpenGateway) -> AsyncIterator[httpx.AsyncClient]:  # noqa: F811
    async with open_gateway() as client:
        yield client


async def drawn(http: httpx.AsyncClient, seed: int, loras: list[str]) -> np.ndarray[Any, Any]:
    body = {"prompt": "a red fox in the snow", "size": "64x64", "seed": seed, "steps": 6, "loras": loras}
    answer = await http.post("/v1/images/generations", json=body)
    assert answer.status_code == 200, answer.text
    return pixels([Image.open(io.BytesIO(base64.b64decode(answer.json()["data"][0]["b64_json"])))])


async def test_jobs_with_and_without_loras_draw_at_once_what_each_draws_alone(
    http: httpx.AsyncClient, engine: DiffusersEngine
) -> None:
    sets = [[], ["a"], ["b:0.5"], ["a", "b:-0.5"], ["a"], [], ["b:0.5"], ["a:0.3"]]
    pictures = await asyncio.gather(*(drawn(http, seed, loras) for seed, loras in enumerate(sets)))
    info = engine.models[0]
    names = {"a": "a", "b": "styles/b"}
    for seed, (loras, picture) in enumerate(zip(sets, pictures, strict=True)):
        words = [it.split(":") for it in loras]
        asked = tuple(Lora(names[name], float(weight[0]) if weight else 1.0) for name, *weight in words)
        request = request_for(info, seed=seed, num_inference_steps=6, loras=asked)
        alone = await asyncio.to_thread(engine.generate, request, Steps())
        assert np.abs(picture - pixels(alone)).max() <= ROUNDING, loras


async def test_what_the_worker_has_not_is_refused_at_once_with_what_it_has(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/images/generations", json={"prompt": "a fox", "loras": ["ink"]})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].endswith("has no LoRA 'ink'; there are: a, styles/b")


async def test_a_file_that_comes_is_offered_and_a_damaged_one_fails_its_job_alone(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    """Its header is whole and its numbers are not, which only reading shows."""
    whole = (tmp_path / "a.safetensors").read_bytes()
    (tmp_path / "late.safetensors").write_bytes(whole[:-1000])

    async def offered() -> bool:
        return "late" in (await http.get("/v1/models")).json()["data"][0]["loras"]

    await eventually(offered)
    answer = await http.post("/v1/images/generations", json={"prompt": "a fox", "loras": ["late"], "size": "64x64"})
    assert answer.status_code == 400
    assert "the LoRA 'late' does not fit" in answer.json()["error"]["message"]
    assert (await drawn(http, 1, ["a"])).any()
