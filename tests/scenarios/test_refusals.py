"""What an operator does not want drawn is refused in every dialect, counted, and leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grpc
import httpx
import openai
import pytest
from PIL import Image

from contracts import codec
from contracts.jobs import Job
from contracts.prompts import ENHANCER, EnhancedPrompt, EnhancePrompt, PromptSource
from gateway.rpc import text2image_pb2 as pb
from runtime.messaging.connection import Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.settings import BusSettings
from runtime.process.safety import REFUSED, PromptBlocklist
from runtime.worker.images.checker import PictureChecker
from runtime.worker.images.output import Output
from tests.scenarios.test_grpc import calling
from tests.support import builders
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import GatewayProcess
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

SIZE = {"width": 64, "height": 64}
ROUTES: dict[str, tuple[dict[str, Any], int, tuple[str, ...]]] = {
    "/v1/images/generations": ({"model": "fake", "prompt": "gore", "size": "64x64"}, 400, ("error", "code")),
    "/generate": ({"prompt": "gore", **SIZE}, 400, ("code",)),
    "/generate/async": ({"prompt": "gore", **SIZE}, 400, ("code",)),
    "/sdapi/v1/txt2img": ({"prompt": "gore", **SIZE}, 400, ("error",)),
}


def objects(images: list[Image.Image]) -> list[bool]:
    """To everything."""
    return [True] * len(images)


@pytest.fixture
def blocklist(tmp_path: Path) -> str:
    file = tmp_path / "words.txt"
    file.write_text("# house rules\ngore\n")
    return str(file)


async def stored(bus: Bus) -> int:
    """Pictures that the bus holds."""
    info = await bus.api(f"STREAM.INFO.{bus.subjects.images_stream}")
    return int(info["state"]["messages"])


async def answers(gateway: GatewayProcess, prompt: str = "gore") -> dict[str, httpx.Response]:
    """Of every route that draws and waits, or queues."""
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
        found = {}
        for route, (body, _, _) in ROUTES.items():
            found[route] = await http.post(route, json=body | {"prompt": prompt})
        pushed = {"mode": "txt2img", "prompt": prompt, **SIZE}
        found["mode"] = await http.post("/generate", json=pushed)
        assist = {"prompt": prompt, "use_enhancer": False, "n": 1, "size": "512x512"}
        found["assist"] = await http.post("/v1/images/generations", json=assist)
        found["chat"] = await http.post("/v1/chat/images", json={"message": f"/imagine {prompt}"})
        return found


async def test_a_prompt_on_the_list_is_refused_in_every_dialect_before_it_is_queued(
    start_gateway: StartGateway, bus_settings: BusSettings, bus: Bus, blocklist: str
) -> None:
    engine = FakeEngine()
    async with (
        start_gateway(EASEL_SAFETY_PROMPT_BLOCKLIST=blocklist) as gateway,
        running_worker(bus_settings, engine),
    ):
        await offering(gateway)
        found = await answers(gateway)
        assert {name: answer.status_code for name, answer in found.items()} == dict.fromkeys(found, 400)
        for route, (_, _, path) in ROUTES.items():
            code = found[route].json()
            for name in path:
                code = code[name]
            assert code == ("moderation_blocked" if route.startswith("/v1") else "content_refused"), found[route].text
        assert found["mode"].json()["code"] == "content_refused"
        assert "does not draw" in found["assist"].json()["error"]
        assert found["chat"].json()["error"]["code"] == "moderation_blocked"
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as client:
            with pytest.raises(openai.BadRequestError) as caught:
                await client.images.generate(model="fake", prompt="Gore", size="64x64")
        assert (caught.value.code, caught.value.type) == ("moderation_blocked", "image_generation_user_error")
        async with calling(gateway) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.GenerateImage(pb.ImageRequest(prompt="gore", **SIZE))
            told = json.loads(dict(refused.value.trailing_metadata() or ())["easel-error"])
        assert (refused.value.code(), told["code"]) == (grpc.StatusCode.INVALID_ARGUMENT, "content_refused")
        async with httpx.AsyncClient(base_url=gateway.url) as http:
            assert (await http.get("/jobs")).json()["jobs"] == []
            counted = (await http.get("/metrics")).text
            drawn = await http.post("/v1/images/generations", json={"model": "fake", "prompt": "fox", "size": "64x64"})
    assert f't2i_refused_total{{by="blocklist"}} {len(found) + 2}.0' in counted
    assert drawn.status_code == 200
    assert engine.drawn == ["fox"]


async def test_a_picture_that_the_checker_objects_to_is_stored_nowhere(
    start_gateway: StartGateway, bus_settings: BusSettings, bus: Bus
) -> None:
    """Nor is a preview of it shown."""
    output = Output(checker=PictureChecker(objects))
    before = REFUSED.labels("checker")._value.get()
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine(), output=output):
        await offering(gateway)
        found = await answers(gateway, "fox")
        statuses = {name: answer.status_code for name, answer in found.items()}
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
            body = {"prompt": "fox", **SIZE, "num_previews": 3, "num_images": 2}
            job = (await http.post("/generate/async", json=body)).json()["job_id"]
            async with http.stream("GET", f"/job/{job}/events") as events:
                told = (await events.aread()).decode()
            ended = (await http.get(f"/job/{job}")).json()
            picture = await http.get(f"/job/{job}/image")
        assert await stored(bus) == 0
    queued = {"/generate/async", "chat"}
    assert {statuses[name] for name in statuses.keys() - queued} == {400}
    assert found["/v1/images/generations"].json()["error"]["code"] == "moderation_blocked"
    assert "nothing of this job was kept" in found["assist"].json()["error"]
    assert (ended["status"], picture.status_code) == ("failed", 400)
    assert "picture 1 of 2" in json.dumps(ended)
    assert (told.count("event: progress"), told.count("image/jpeg")) == (4, 0)
    assert REFUSED.labels("checker")._value.get() - before >= len(statuses)


async def test_a_worker_refuses_what_the_enhancer_made_of_a_prompt(bus_settings: BusSettings, jobs: JobClient) -> None:
    """The gateway saw the prompt before it was enhanced."""
    engine, output = FakeEngine(), Output(blocklist=PromptBlocklist(["gore"]))
    async with running_worker(bus_settings, engine, output=output):
        job = builders.job()
        wish = EnhancePrompt(prompt="fox", model="fake", family="fake", style="", timeout_s=1)
        waiting = Job(
            id=job.id, stages=(wish, job.request), pool=ENHANCER, next_pool=job.pool, created_at=job.created_at
        )
        enhanced = waiting.enhanced(EnhancedPrompt(prompt="a fox, gore", source=PromptSource.MODEL))
        assert codec.decode(codec.encode(enhanced), Job) == enhanced
        async with jobs.follow(enhanced.id, fresh=True) as events:
            await jobs.submit(enhanced)
            told = [event async for event in events]
    assert told[-1].outcome.error is not None  # type: ignore[union-attr]
    assert told[-1].outcome.error.code == "content_refused"  # type: ignore[union-attr]
    assert engine.drawn == []
