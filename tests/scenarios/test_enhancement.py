"""A job whose prompt is enhanced first: two stages, one picture, whatever dies on the way."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import msgspec
import pytest

from contracts.events import Enhanced, Finished, JobEvent, Progress, Started
from contracts.jobs import Job, JobOutcome, JobState, new_job_id
from contracts.prompts import ENHANCER, EnhancedPrompt, EnhancePrompt, PromptSource
from runtime.messaging.connection import Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.queued_jobs import queued_stages
from runtime.messaging.routing_slip import pass_on
from runtime.messaging.settings import BusSettings
from runtime.messaging.topology import declare_pool
from tests.support import builders
from tests.support.chat_server import ChatServer, as_prompt
from tests.support.enhancers import EnhancerProcess, running_enhancer
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.systems import StartGateway, offering
from tests.support.workers import live, running_worker

BETTER = "a boat on a lake, soft morning light"
ENHANCE = "/v1/prompts/enhance"


def job(prompt: str = "a boat on a lake", timeout_s: float = 30.0) -> Job:
    """Enhanced first, drawn by the fake engine then."""
    wish = EnhancePrompt(prompt=prompt, family="fake", timeout_s=timeout_s)
    drawing = builders.generate_image(prompt=prompt)
    return Job(id=new_job_id(), stages=(wish, drawing), pool=ENHANCER, next_pool="fake", created_at=time.time())


def outcome_of(events: list[JobEvent]) -> JobOutcome:
    last = events[-1]
    assert isinstance(last, Finished)
    return last.outcome


async def test_the_better_prompt_is_drawn_and_the_events_keep_their_order(
    bus_settings: BusSettings, jobs: JobClient
) -> None:
    engine, asked = FakeEngine(), job()
    with ChatServer(as_prompt(BETTER)) as server:
        async with running_enhancer(bus_settings, server), running_worker(bus_settings, engine):
            async with asyncio.timeout(60), jobs.follow(asked.id, fresh=True) as live_events:
                await jobs.submit(asked)
                seen = [event async for event in live_events]
            async with asyncio.timeout(60), jobs.follow(asked.id) as stored:
                again = [event async for event in stored]
    outcome = outcome_of(seen)
    assert engine.drawn == [BETTER]
    assert outcome.job.request.prompt == BETTER
    assert outcome.job.enhancement is not None
    assert (outcome.job.enhancement.prompt, outcome.job.enhancement.source) == (
        asked.request.prompt,
        PromptSource.MODEL,
    )
    kinds = [type(event) for event in seen]
    assert kinds[:3] == [Started, Enhanced, Started]
    assert set(kinds[3:-1]) == {Progress}
    assert [event.id for event in seen] == sorted({event.id for event in seen})
    assert again[1:] == seen, "a late follower sees the same"


async def test_an_enhancer_killed_in_the_middle_costs_time_and_no_second_picture(
    bus: Bus, bus_settings: BusSettings, jobs: JobClient, tmp_path: Path
) -> None:
    engine, asked = FakeEngine(), job()
    with ChatServer(as_prompt(BETTER)) as server:
        server.gate.clear()
        with EnhancerProcess(bus_settings, "victim", server.url, tmp_path / "log") as victim:
            await live(bus_settings, "victim")
            async with asyncio.timeout(90), jobs.follow(asked.id, fresh=True) as events:
                await jobs.submit(asked)
                await asyncio.to_thread(server.asked.acquire, timeout=30)
                victim.kill()
                server.gate.set()
                async with running_enhancer(bus_settings, server, name="heir"), running_worker(bus_settings, engine):
                    seen = [event async for event in events]
    assert [event.worker for event in seen if isinstance(event, Enhanced)] == ["heir"]
    assert outcome_of(seen).state is JobState.SUCCEEDED
    assert engine.drawn == [BETTER]
    assert await queued_stages(bus, asked.id) == []


async def test_of_several_that_pass_a_job_on_one_decides(bus: Bus, jobs: JobClient) -> None:
    """An heir, a zombie and a gateway that lost patience: the job waits for its worker once."""
    await declare_pool(bus, "fake")
    asked = job()
    await jobs.submit(asked)
    first = EnhancedPrompt(prompt="first", source=PromptSource.MODEL)
    await pass_on(bus, asked, first)
    await asyncio.gather(
        *(pass_on(bus, asked, EnhancedPrompt(prompt=f"late {n}", source=PromptSource.ORIGINAL)) for n in range(5))
    )
    assert [stage.request.prompt for stage in await queued_stages(bus, asked.id) if stage.stage == 1] == ["first"]


async def test_a_job_passed_on_is_not_enhanced_again_after_a_crash_before_the_ack(
    bus: Bus, bus_settings: BusSettings, jobs: JobClient, tmp_path: Path
) -> None:
    engine, asked = FakeEngine(), job()
    with ChatServer(as_prompt(BETTER)) as server:
        server.gate.clear()
        with EnhancerProcess(bus_settings, "victim", server.url, tmp_path / "log") as victim:
            await live(bus_settings, "victim")
            await jobs.submit(asked)
            await asyncio.to_thread(server.asked.acquire, timeout=30)
            victim.kill()
        await pass_on(bus, asked, EnhancedPrompt(prompt="as the victim left it", source=PromptSource.MODEL))
        async with running_enhancer(bus_settings, server, name="heir"):

            async def settled() -> bool:
                return [stage.stage for stage in await queued_stages(bus, asked.id)] == [1]

            await eventually(settled, within_s=60)
            assert len(server.requests) == 1
            async with running_worker(bus_settings, engine), asyncio.timeout(60), jobs.follow(asked.id) as events:
                assert outcome_of([event async for event in events]).state is JobState.SUCCEEDED
    assert engine.drawn == ["as the victim left it"]


async def test_a_job_is_cancelled_in_either_stage(bus: Bus, bus_settings: BusSettings, jobs: JobClient) -> None:
    engine = FakeEngine()
    with ChatServer(as_prompt("gate on a lake, soft light")) as server:
        async with running_enhancer(bus_settings, server), running_worker(bus_settings, engine):
            server.gate.clear()
            first = job()
            await jobs.submit(first)
            await asyncio.to_thread(server.asked.acquire, timeout=30)
            record = await jobs.cancel(first.id)
            assert record is not None
            assert record.state is JobState.CANCELLED
            server.gate.set()
            second = job("gate on a lake")
            async with asyncio.timeout(60), jobs.follow(second.id, fresh=True) as events:
                await jobs.submit(second)
                async for event in events:
                    if isinstance(event, Started) and event.id.attempt > 1000:
                        await jobs.cancel(second.id)
                        engine.gate.set()
                assert isinstance(event, Finished)
                assert event.outcome.state is JobState.CANCELLED

            async def clean() -> bool:
                return not await queued_stages(bus, first.id) and not await queued_stages(bus, second.id)

            await eventually(clean)
    assert engine.drawn == ["gate on a lake, soft light"]


@pytest.mark.parametrize("what", ["dead", "slow"])
async def test_without_an_answer_the_prompt_is_drawn_as_it_was_and_in_time(
    bus_settings: BusSettings, start_gateway: StartGateway, what: str
) -> None:
    """And the direct route says 502 in its own words; plain requests notice nothing."""
    engine = FakeEngine()
    with ChatServer(as_prompt(BETTER)) as server:
        server.status = 503 if what == "dead" else 200
        if what == "slow":
            server.gate.clear()
        async with running_enhancer(bus_settings, server), running_worker(bus_settings, engine):
            async with start_gateway(EASEL_GATEWAY_ENHANCER_TIMEOUT_S="1") as gateway:
                await offering(gateway)
                async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as http:
                    body = {"prompt": "a boat on a lake", "n": 1, "size": "256x256"}
                    refused = await http.post(ENHANCE, json={"prompt": "a boat"})
                    plain = await http.post("/v1/images/generations", json=body | {"use_enhancer": False})
                    wished = await http.post("/v1/images/generations", json=body | {"use_enhancer": True})
    assert refused.status_code == 502
    assert refused.json()["status_code"] == 502
    assert isinstance(refused.json()["error"], str)
    assert plain.status_code == wished.status_code == 200, wished.text
    assert wished.headers["x-easel-enhancement"] == "original"
    assert engine.drawn == ["a boat on a lake"] * 2


async def test_a_job_that_nobody_enhances_goes_on_when_its_time_is_over(
    bus_settings: BusSettings, start_gateway: StartGateway, jobs: JobClient
) -> None:
    """The enhancer left after the job was queued; any gateway sees to it."""
    engine, asked = FakeEngine(), job(timeout_s=0.5)
    async with start_gateway(), running_worker(bus_settings, engine):
        async with asyncio.timeout(60), jobs.follow(asked.id, fresh=True) as events:
            await jobs.submit(asked)
            seen = [event async for event in events]
    enhancement = outcome_of(seen).job.enhancement
    assert enhancement is not None
    assert enhancement.source is PromptSource.ORIGINAL
    assert engine.drawn == ["a boat on a lake"]


async def test_every_dialect_can_ask_for_it_and_says_what_was_drawn(
    bus_settings: BusSettings, start_gateway: StartGateway
) -> None:
    with ChatServer(as_prompt(BETTER)) as server:
        async with running_enhancer(bus_settings, server), running_worker(bus_settings, FakeEngine()):
            async with start_gateway() as gateway:
                await offering(gateway)
                async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as http:
                    asked = {"prompt": "a boat on a lake", "use_enhancer": True}
                    openai = await http.post("/v1/images/generations", json=asked | {"model": "fake", "size": "64x64"})
                    jobs = await http.post("/generate", json=asked | {"width": 64, "height": 64})
                    shown = (await http.get(f"/job/{jobs.json()['job_id']}")).json()
                    before = await http.post(ENHANCE, json={"prompt": "a boat on a lake", "dry_run": True})
                    exact = await http.post(ENHANCE, json={"prompt": "a boat on a lake"})
                    stream = await http.post(ENHANCE, json={"prompt": "a boat on a lake", "stream": True})
                    again = await http.post(f"/job/{shown['job_id']}/retry")
                    seen = await http.get(f"/job/{again.json()['job_id']}/events")
    assert openai.json()["data"][0]["revised_prompt"] == BETTER
    assert openai.headers["x-easel-enhancement"] == "model"
    assert jobs.json()["prompt"] == BETTER
    assert shown["enhancement"] == {"original_prompt": "a boat on a lake", "style": "", "source": "model"}
    assert exact.json() == {"enhanced_prompt": BETTER}
    assert before.json()["changes"] == [
        {"op": "keep", "text": "a boat on a lake"},
        {"op": "add", "text": ", soft morning light"},
    ]
    assert [line for line in stream.text.splitlines() if line.startswith("event:")][-1] == "event: enhanced"
    assert "event: draft" in stream.text
    assert "event: enhanced" not in seen.text, "the prompt is enhanced once, retries draw it again"
    assert '"state":"succeeded"' in seen.text


async def test_two_enhancers_share_the_load_and_say_so(bus: Bus, bus_settings: BusSettings, tmp_path: Path) -> None:
    """As NATS' own tools see them: `nats micro stats enhancer`."""
    from runtime.messaging.micro_service import Address, ask

    with ChatServer(as_prompt(BETTER)) as server:
        with (
            EnhancerProcess(bus_settings, "one", server.url, tmp_path / "one"),
            EnhancerProcess(bus_settings, "two", server.url, tmp_path / "two"),
        ):
            await live(bus_settings, "one")
            await live(bus_settings, "two")
            wish = EnhancePrompt(prompt="a boat on a lake", timeout_s=30)
            address = Address(ENHANCER, "enhance")
            answers = await asyncio.gather(*(ask(bus, address, wish, EnhancedPrompt, timeout_s=30) for _ in range(40)))
            assert {answer.prompt for answer in answers} == {BETTER}

            async def counted() -> dict[str, int]:
                told = await _told(bus, "STATS", bus_settings.namespace)
                return {
                    one["id"]: endpoint["num_requests"]
                    for one in told
                    for endpoint in one["endpoints"]
                    if endpoint["name"] == "enhance"
                }

            counts = await counted()
            info = await _told(bus, "INFO", bus_settings.namespace)
    assert len(counts) == 2
    assert sum(counts.values()) == 40
    assert min(counts.values()) > 0
    assert {endpoint["name"] for one in info for endpoint in one["endpoints"]} == {"enhance", "read-intent"}


async def _told(bus: Bus, verb: str, namespace: str) -> list[dict[str, object]]:
    """What the enhancers of this test's namespace answer; other tests have theirs on the same server."""
    inbox, found = bus.client.new_inbox(), []
    subscription = await bus.client.subscribe(inbox)
    await bus.client.publish(f"$SRV.{verb}.{ENHANCER}", b"", reply=inbox)
    async with asyncio.timeout(30):
        while len(found) < 2:
            told = msgspec.json.decode((await subscription.next_msg(timeout=30)).data)
            if any(endpoint["subject"].startswith(f"{namespace}.") for endpoint in told["endpoints"]):
                found.append(told)
    await subscription.unsubscribe()
    return found
