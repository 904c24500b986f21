"""The enhancer against a real llama.cpp server."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from contracts.errors import EaselError, ErrorCode
from contracts.prompts import EnhancePrompt, ImageIntent, PromptSource, ReadIntent
from runtime.messaging.settings import BusSettings
from services.enhancer.checking import keeps_content
from services.enhancer.engines.http_model import HttpModel
from services.enhancer.engines.language_model import Message, Task
from services.enhancer.enhancer import Enhancer
from services.enhancer.intent import read_intent
from services.enhancer.profiles import profile_of
from services.enhancer.words import tokens
from tests.llama.conftest import LlamaServer
from tests.support.enhancers import EnhancerProcess
from tests.support.fake_engine import FakeEngine
from tests.support.systems import StartGateway, offering
from tests.support.workers import live, running_worker

pytestmark = [pytest.mark.xdist_group("llama"), pytest.mark.timeout(600)]
PROMPTS = (Path(__file__).parents[1] / "services/enhancer/prompts.txt").read_text(encoding="utf-8").splitlines()


@asynccontextmanager
async def enhancer_at(llama: LlamaServer, *, rewrites: bool) -> AsyncIterator[Enhancer]:
    model = HttpModel(llama.url, concurrency=2)
    yield Enhancer(model, rewrites=rewrites, max_waiting=100, cache_size=0)
    await model.close()


async def test_its_output_is_held_to_the_schema(llama: LlamaServer) -> None:
    model = HttpModel(llama.url)
    choice = {"type": "array", "prefixItems": [{"enum": ["up", "down"]}, {"enum": ["7"]}], "minItems": 2, "maxItems": 2}
    form = {"type": "object", "properties": {"prompt": {"type": "string", "maxLength": 40}}, "required": ["prompt"]}
    pieces = list[str]()
    text = await model.write(Task([Message("user", "which way?")], choice, 30), pieces.append)
    assert msgspec.json.decode(text, type=tuple[str, str])[1] == "7"
    assert "".join(pieces) == text
    text = await model.write(Task([Message("user", "a cat")], form, 100))
    assert isinstance(msgspec.json.decode(text)["prompt"], str)
    await model.close()


@pytest.mark.parametrize("rewrites", [True, False])
async def test_whatever_a_small_model_writes_nothing_that_was_asked_is_lost(llama: LlamaServer, rewrites: bool) -> None:
    sources = Counter[PromptSource]()
    async with enhancer_at(llama, rewrites=rewrites) as enhancer:
        for prompt in PROMPTS[::10]:
            made = await enhancer.enhance(EnhancePrompt(prompt=prompt, family="stable-diffusion", timeout_s=300))
            assert keeps_content(prompt, made.prompt), (prompt, made.prompt)
            assert tokens(made.prompt) <= profile_of("", "stable-diffusion").max_tokens
            sources[made.source] += 1
    print(sources)
    assert sources[PromptSource.MODEL] == sum(sources.values()) or rewrites


async def test_a_message_is_judged_in_the_form_asked_for(llama: LlamaServer) -> None:
    """What it says is not judged here: the model is far too small."""
    async with enhancer_at(llama, rewrites=True) as enhancer:
        told = await read_intent(enhancer, ReadIntent(message="how about a nice waterfall?", timeout_s=300))
    assert told.intent in ImageIntent


async def test_a_server_killed_while_it_writes_is_told_at_once(llama: LlamaServer) -> None:
    model = HttpModel(llama.url)
    began = asyncio.Event()
    endless = Task([Message("user", "count for ever")], {"type": "string", "minLength": 1500}, 3000)
    writing = asyncio.create_task(model.write(endless, lambda _: began.set()))
    await asyncio.wait_for(began.wait(), 60)
    llama.kill()
    with pytest.raises(EaselError) as fault:
        await asyncio.wait_for(writing, 30)
    llama.start()
    assert fault.value.code is ErrorCode.UNAVAILABLE
    assert await model.write(Task([Message("user", "again")], {"enum": ["yes"]}, 10)) == '"yes"'
    await model.close()


async def test_killed_in_the_middle_of_a_request_it_costs_a_502_and_no_picture(
    llama: LlamaServer, bus_settings: BusSettings, start_gateway: StartGateway, tmp_path: Path
) -> None:
    """In the prompt-assist dialect's shape and within the deadline; jobs go on with the prompt as it was."""
    engine, deadline_s = FakeEngine(), 20.0
    body = {"prompt": "a boat on a lake", "n": 1, "size": "256x256"}
    with EnhancerProcess(bus_settings, "enhancer", llama.url, tmp_path / "log"):
        await live(bus_settings, "enhancer")
        async with (
            running_worker(bus_settings, engine),
            start_gateway(EASEL_GATEWAY_ENHANCER_TIMEOUT_S=str(deadline_s)) as gateway,
        ):
            await offering(gateway)
            async with httpx.AsyncClient(base_url=gateway.url, timeout=120) as http:
                async with http.stream(
                    "POST", "/v1/prompts/enhance", json={"prompt": "a boat", "stream": True}
                ) as answer:
                    async for line in answer.aiter_lines():
                        if line == "event: draft":
                            break
                began = time.monotonic()
                asked = asyncio.create_task(http.post("/v1/prompts/enhance", json={"prompt": "a house by the sea"}))
                llama.kill()
                refused = await asked
                took = time.monotonic() - began
                wished = await http.post("/v1/images/generations", json=body | {"use_enhancer": True})
                plain = await http.post("/v1/images/generations", json=body | {"use_enhancer": False})
    llama.start()
    assert (refused.status_code, set(refused.json())) == (502, {"error", "status_code"})
    assert took < deadline_s + 5
    assert wished.status_code == plain.status_code == 200
    assert wished.headers["x-easel-enhancement"] == "original"
    assert engine.drawn == ["a boat on a lake"] * 2
