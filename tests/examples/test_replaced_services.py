"""The documents of the services that Easel replaces: their example requests, as printed, get the replies printed there."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from PIL import Image

from gateway.pictures import picture_size
from gateway.rpc import text2image_pb2 as pb
from gateway.rpc.text2image_pb2_grpc import Text2ImageServiceStub
from runtime.messaging.settings import BusSettings
from tests.examples.commands import curl, holds, picture
from tests.support.chat_server import ChatServer, as_prompt
from tests.support.enhancers import running_enhancer
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import GatewayProcess
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

BETTER = "A cat sitting on a windowsill, soft morning light"


@pytest.fixture
async def gateway(start_gateway: StartGateway, bus_settings: BusSettings) -> AsyncIterator[GatewayProcess]:
    """One with a worker and an enhancer."""
    with ChatServer(as_prompt(BETTER)) as server:
        async with (
            start_gateway() as running,
            running_worker(bus_settings, FakeEngine()),
            running_enhancer(bus_settings, server),
        ):
            await offering(running)
            yield running


async def test_prompt_assist_enhances_a_prompt(gateway: GatewayProcess) -> None:
    answer = await curl(
        r"""
curl -X POST http://localhost:8000/v1/prompts/enhance \
    -H "Content-Type: application/json" \
    -d '{"prompt": "A cat sitting on a windowsill"}'
""",
        gateway.url,
    )
    assert (answer.status, answer.json()) == (200, {"enhanced_prompt": BETTER})


@pytest.mark.parametrize(
    ("command", "count"),
    [
        (
            r"""
curl -X POST http://localhost:8000/v1/images/generations \
    -H "Content-Type: application/json" \
    -d '{"prompt": "A sunset over a mountain range with vivid colours", "use_enhancer": false, "n": 1, "size": "512x512"}'
""",
            1,
        ),
        (
            r"""
curl -X POST http://localhost:8000/v1/images/generations \
    -H "Content-Type: application/json" \
    -d '{"prompt": "A dog playing in a park", "use_enhancer": true, "n": 2, "size": "512x512"}'
""",
            2,
        ),
    ],
)
async def test_prompt_assist_draws(gateway: GatewayProcess, command: str, count: int) -> None:
    """The documented fields and no others."""
    answer = await curl(command, gateway.url)
    reply = answer.json()
    assert answer.status == 200
    assert set(reply) == {"created_at_unix_timestamp", "data"}
    assert isinstance(reply["created_at_unix_timestamp"], int)
    assert [set(item) for item in reply["data"]] == [{"base64_encoded_image", "content_type"}] * count
    assert {item["content_type"] for item in reply["data"]} == {"image/png"}
    drawn = [picture(item["base64_encoded_image"]) for item in reply["data"]]
    assert {it.size for it in drawn} == {(512, 512)}
    assert len({it.tobytes() for it in drawn}) == count


@pytest.mark.parametrize(
    "body",
    [
        '{"prompt": "A dog", "use_enhancer": false',
        '{"use_enhancer": false}',
        '{"prompt": "", "use_enhancer": false}',
        '{"prompt": "A dog", "use_enhancer": false, "n": 5}',
        '{"prompt": "A dog", "use_enhancer": false, "size": "300x300"}',
    ],
)
async def test_prompt_assist_refuses_with_a_sentence_and_the_status(gateway: GatewayProcess, body: str) -> None:
    """`{"error": "A human-readable description of what went wrong.", "status_code": 400}`"""
    route = "prompts/enhance" if not body.endswith("}") else "images/generations"
    answer = await curl(
        f"curl -X POST http://localhost:8000/v1/{route} -H 'Content-Type: application/json' -d '{body}'", gateway.url
    )
    assert answer.status == 400
    assert set(answer.json()) == {"error", "status_code"}
    assert answer.json()["status_code"] == 400


async def test_the_job_service_draws_and_keeps_jobs(gateway: GatewayProcess) -> None:
    """Its routes in their order, the body and the example response as printed."""
    body = '{"prompt": "A sunset over mountains", "width": 1024, "height": 1024, "seed": null}'
    post = f"curl -X POST http://localhost:8034/%s -H 'Content-Type: application/json' -d '{body}'"
    documented = {
        "success": True,
        "job_id": "abc123",
        "image_base64": "iVBORw0KGgo...",
        "width": 1024,
        "height": 1024,
        "seed": 42,
        "prompt": "A sunset over mountains",
        "generation_time": 3.45,
    }
    health = (await curl("curl http://localhost:8034/health", gateway.url)).json()
    assert (health["status"], health["model"], health["device"]) == ("healthy", "fake", "cpu (fake)")
    blocking = await curl(post % "generate", gateway.url)
    assert blocking.status == 200
    assert holds(blocking.json(), documented)
    assert picture(blocking.json()["image_base64"]).size == (1024, 1024)
    job = (await curl(post % "generate/async", gateway.url)).json()["job_id"]
    url = f"curl http://localhost:8034/job/{job}"

    async def succeeded() -> bool:
        return bool((await curl(url, gateway.url)).json()["status"] == "succeeded")

    await eventually(succeeded)
    result = (await curl(f"{url}/result", gateway.url)).json()
    assert holds(result, documented)
    image = await curl(f"{url}/image", gateway.url)
    assert (image.status, image.content_type) == (200, "image/png")
    assert image.body == base64.b64decode(result["image_base64"])


async def test_the_pipeline_service_runs_in_the_background(gateway: GatewayProcess) -> None:
    """Every reply of its page, word for word."""
    post = "curl -X POST http://localhost:8100/pipeline/%s -H 'Content-Type: application/json' -d '%s'"
    get = "curl http://localhost:8100/%s"
    run = post % ("run", '{"prompt": "a fox"}')
    early = await curl(run, gateway.url)
    assert early.json() == {
        "status": "error",
        "message": "Pipeline execution is already running or pipeline is not initialized.",
    }
    chosen = await curl(post % ("select-device", '{"device": "CPU"}'), gateway.url)
    assert (chosen.status, chosen.json()) == (200, {"status": "success", "message": "Pipeline prepared on CPU."})
    soon = await curl(get % "pipeline/image", gateway.url)
    assert soon.json() == {"status": "error", "message": "Pipeline execution is not yet complete."}
    started = await curl(run, gateway.url)
    assert started.json() == {"status": "success", "message": "Pipeline execution started in background."}

    async def completed() -> bool:
        status = (await curl(get % "pipeline/status", gateway.url)).json()
        assert set(status) == {"running", "completed"}
        return bool(status["completed"])

    await eventually(completed)
    image = await curl(get % "pipeline/image", gateway.url)
    assert image.content_type == "image/png"
    Image.open(io.BytesIO(image.body)).verify()
    assert (await curl(get % "health", gateway.url)).json()["status"] == "healthy"


async def test_the_edge_endpoint_draws_from_words_and_from_a_picture(gateway: GatewayProcess) -> None:
    """Both example payloads; the second starts from the answer to the first."""
    documented = {"status": "ok", "base64": "<base64 PNG>"}
    words = {
        "mode": "txt2img",
        "prompt": "A photograph of a red fox in the snow, highly detailed",
        "width": 512,
        "height": 512,
        "steps": 7,
    }
    start = ""
    for body in (words, words | {"mode": "img2img", "prompt": "Make this image look like a pencil sketch"}):
        sent = json.dumps(body | ({"init_image": start} if start else {}))
        post = "curl -X POST http://localhost:5000/generate -H 'Content-Type: application/json' -d @- <<'END'"
        reply = (await curl(f"{post}\n{sent}\nEND\n", gateway.url)).json()
        assert holds(reply, documented)
        assert 0 <= reply["text_time_ms"] <= reply["total_time_ms"]
        assert picture(reply["base64"]).size == (512, 512)
        assert reply["base64"] != start
        start = reply["base64"]
    refused = await curl(f"{post}\n{json.dumps(words | {'mode': 'img2img'})}\nEND\n", gateway.url)
    assert (refused.status, refused.json()["status"]) == (400, "error")
    assert "init_image" in refused.json()["error"]


async def test_the_grpc_agents_script_and_calls(gateway: GatewayProcess, tmp_path: Path) -> None:
    """`client.py` is `easel` now, with the same words; the calls keep their documented defaults."""

    async def client(*words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *words),
            env=os.environ | {"EASEL_URL": gateway.url},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        return out.decode()

    await client("status")
    landscape, punk = str(tmp_path / "landscape.png"), str(tmp_path / "cyberpunk.png")
    await client("generate", "a beautiful landscape with mountains", "--output", landscape)
    await client(
        *("generate", "a cyberpunk city at night", "--width", "640", "--height", "384", "--steps", "30"),
        *("--guidance-scale", "8.5", "--output", punk, "--save-metadata"),
    )
    assert picture_size(Path(landscape).read_bytes(), "landscape")
    assert picture_size(Path(punk).read_bytes(), "cyberpunk") == (640, 384)
    facts = json.loads((tmp_path / "cyberpunk.json").read_text())
    assert (facts["num_inference_steps"], facts["guidance_scale"]) == (30, 8.5)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        stub = Text2ImageServiceStub(channel)
        drawn = await stub.GenerateImage(pb.ImageRequest(prompt="a beautiful landscape with mountains"))
        status = await stub.GetStatus(pb.StatusRequest())
    facts = json.loads(drawn.metadata_json)
    assert (drawn.width, drawn.height) == (512, 512)
    assert (facts["num_inference_steps"], facts["guidance_scale"]) == (50, 7.5)
    assert status.model_version
