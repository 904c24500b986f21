"""The gRPC front: the same pictures, keys, limits and cancellation as HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from PIL import Image

from contracts.errors import ErrorCode
from gateway.keys import create_key
from gateway.rpc import convert
from gateway.rpc import text2image_pb2 as pb
from gateway.rpc.text2image_pb2_grpc import Text2ImageServiceStub
from runtime.messaging.settings import BusSettings
from tests.support.chat_server import ChatServer, as_prompt
from tests.support.enhancers import running_enhancer
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import GatewayProcess
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

BETTER = "a boat on a lake, soft morning light"
EXAMPLE = Path(__file__).parents[2] / "examples" / "grpc_stream.py"


@contextlib.asynccontextmanager
async def calling(gateway: GatewayProcess) -> AsyncIterator[Text2ImageServiceStub]:
    """A client of the gateway's gRPC port."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
        yield Text2ImageServiceStub(channel)


async def state_of_newest(gateway: GatewayProcess) -> str:
    """How the newest job stands."""
    async with httpx.AsyncClient() as http:
        jobs = (await http.get(f"{gateway.url}/jobs")).json()["jobs"]
    return str(jobs[0]["status"]) if jobs else ""


async def until_newest_is(gateway: GatewayProcess, state: str) -> None:
    """Wait for it."""
    async with asyncio.timeout(10):
        while await state_of_newest(gateway) != state:
            await asyncio.sleep(0.01)


async def test_one_call_draws_one_picture_with_the_dialects_presets(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """512x512, 50 steps, guidance 7.5, a random seed that the answer names; zero is a value, not an absence."""
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        async with calling(gateway) as stub:
            drawn = await stub.GenerateImage(pb.ImageRequest(prompt="a red fox"))
            again = await stub.GenerateImage(pb.ImageRequest(prompt="a red fox", seed=drawn.seed))
            free = await stub.GenerateImage(pb.ImageRequest(prompt="a red fox", seed=0, guidance_scale=0, width=64))
    facts = json.loads(drawn.metadata_json)
    assert (drawn.status_code, drawn.width, drawn.height) == (200, 512, 512)
    assert (facts["num_inference_steps"], facts["guidance_scale"]) == (50, 7.5)
    assert drawn.image.startswith(b"\x89PNG")
    assert drawn.image == again.image
    assert (free.seed, json.loads(free.metadata_json)["guidance_scale"], free.width) == (0, 0, 64)


async def test_loras_are_listed_taken_and_refused_by_name(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    engine = FakeEngine(loras=("fog", "styles/ink"))
    async with start_gateway() as gateway, running_worker(bus_settings, engine):
        await offering(gateway)
        async with calling(gateway) as stub:
            listed = (await stub.GetStatus(pb.StatusRequest())).loras
            fields: dict[str, Any] = {"prompt": "a fox", "width": 64, "height": 64, "num_inference_steps": 3, "seed": 1}
            plain = await stub.GenerateImage(pb.ImageRequest(**fields))
            foggy = await stub.GenerateImage(pb.ImageRequest(**fields, loras=[pb.Lora(name="fog", weight=0.5)]))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.GenerateImage(pb.ImageRequest(**fields, loras=[pb.Lora(name="mist")]))
    assert [(it.model, list(it.names)) for it in listed] == [("fake", ["fog", "styles/ink"])]
    assert plain.image != foggy.image
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "there are: fog, styles/ink" in (refused.value.details() or "")


async def test_a_stream_tells_the_job_its_steps_and_the_picture(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """In this order."""
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        async with calling(gateway) as stub:
            request = pb.ImageRequest(prompt="a fox", width=64, height=64, num_inference_steps=5)
            events = [event async for event in stub.GenerateImageStream(request)]
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == ["accepted", *["progress"] * 5, "finished"]
    assert [event.progress.step for event in events[1:-1]] == [1, 2, 3, 4, 5]
    assert events[-1].finished.job_id == events[0].accepted.job_id


async def test_a_stream_shows_the_picture_as_it_forms(start_gateway: StartGateway, bus_settings: BusSettings) -> None:
    """As many previews as were asked for, each a picture of its own."""
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        async with calling(gateway) as stub:
            request = pb.ImageRequest(prompt="a fox", width=64, height=64, num_inference_steps=6, num_previews=3)
            events = [event async for event in stub.GenerateImageStream(request)]
    previews = [event.progress.preview for event in events if event.progress.HasField("preview")]
    assert len({preview.image for preview in previews}) == 3
    assert {preview.content_type for preview in previews} == {"image/jpeg"}


async def test_a_picture_to_start_from_and_its_mask_are_taken(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """What the mask keeps is the picture that was sent."""
    start, mask = Image.new("RGB", (64, 64), "tomato"), Image.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 32, 64))
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        async with calling(gateway) as stub:
            drawn = await stub.GenerateImage(
                pb.ImageRequest(prompt="a fox", init_image=_png(start), mask_image=_png(mask))
            )
    picture = Image.open(io.BytesIO(drawn.image))
    assert picture.size == (64, 64)
    assert picture.getpixel((48, 32)) == (255, 99, 71)
    assert picture.getpixel((16, 32)) != (255, 99, 71)


def _png(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


@pytest.mark.parametrize("how", ["deadline", "cancel"])
async def test_a_call_that_ends_early_stops_its_job(
    start_gateway: StartGateway, bus_settings: BusSettings, how: str
) -> None:
    """By its deadline or by its client."""
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine(step_s=0.05)):
        await offering(gateway)
        async with calling(gateway) as stub:
            request = pb.ImageRequest(prompt="a fox", width=64, height=64, num_inference_steps=1000)
            if how == "deadline":
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.GenerateImage(request, timeout=1)
                assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            else:
                call = stub.GenerateImage(request)
                await until_newest_is(gateway, "running")
                call.cancel()
            await until_newest_is(gateway, "cancelled")


async def test_a_stream_that_its_client_leaves_stops_its_job_and_a_job_can_be_cancelled_by_id(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """Both end as cancelled; the followed call says so."""
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine(step_s=0.05)):
        await offering(gateway)
        async with calling(gateway) as stub:
            request = pb.ImageRequest(prompt="a fox", width=64, height=64, num_inference_steps=1000)
            left = stub.GenerateImageStream(request)
            await left.read()
            left.cancel()
            await until_newest_is(gateway, "cancelled")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                async for event in stub.GenerateImageStream(request):
                    if event.HasField("accepted"):
                        status = await stub.CancelJob(pb.JobRequest(job_id=event.accepted.job_id))
    assert status.state == "cancelled"
    assert caught.value.code() is grpc.StatusCode.CANCELLED


@contextlib.asynccontextmanager
async def watching(gateway: GatewayProcess, file: Path, *more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A client in another process, which has seen a step."""
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLE), "a fox", str(file), *more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"EASEL_GRPC": f"127.0.0.1:{gateway.grpc_port}"},
    )
    try:
        assert client.stdout is not None
        async with asyncio.timeout(30):
            assert (await client.stdout.readline()).startswith(b"step 1 of 50")
        yield client
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()


async def test_a_client_in_another_process_streams(
    start_gateway: StartGateway, bus_settings: BusSettings, tmp_path: Path
) -> None:
    """Every step, and the picture."""
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        async with watching(gateway, tmp_path / "fox.png") as client:
            said, _ = await asyncio.wait_for(client.communicate(), 30)
    assert said.decode().splitlines() == [
        *(f"step {step} of 50" for step in range(2, 51)),
        str(tmp_path / "fox.png"),
    ]
    assert (tmp_path / "fox.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("ending", "said"), [("interrupt", b"cancelled"), ("deadline", b"DEADLINE"), ("kill", b"")])
async def test_a_client_in_another_process_that_ends_early_stops_its_job(
    start_gateway: StartGateway, bus_settings: BusSettings, tmp_path: Path, ending: str, said: bytes
) -> None:
    """By Ctrl-C, by the deadline that it set, or killed."""
    deadline = ("5",) if ending == "deadline" else ()
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine(step_s=0.5)):
        await offering(gateway)
        async with watching(gateway, tmp_path / "fox.png", *deadline) as client:
            if ending != "deadline":
                client.send_signal(signal.SIGINT if ending == "interrupt" else signal.SIGKILL)
            _, errors = await asyncio.wait_for(client.communicate(), 30)
            await until_newest_is(gateway, "cancelled")
    assert said in errors
    assert client.returncode != 0
    assert not (tmp_path / "fox.png").exists()


async def test_a_prompt_is_written_out_and_nothing_is_drawn(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """With the facts as JSON; a prompt that HTTP would refuse is refused here too."""
    engine = FakeEngine()
    with ChatServer(as_prompt(BETTER)) as server:
        async with start_gateway() as gateway, running_worker(bus_settings, engine), calling(gateway) as stub:
            await offering(gateway)
            with pytest.raises(grpc.aio.AioRpcError) as alone:
                await stub.EnhancePrompt(pb.EnhanceRequest(prompt="a boat on a lake"))
            async with running_enhancer(bus_settings, server):
                better = await stub.EnhancePrompt(pb.EnhanceRequest(prompt="a boat on a lake"))
                with pytest.raises(grpc.aio.AioRpcError) as empty:
                    await stub.EnhancePrompt(pb.EnhanceRequest(prompt=" "))
    assert (better.status_code, better.enhanced_prompt, better.source) == (200, BETTER, "model")
    assert json.loads(better.metadata_json)["prompt"] == "a boat on a lake"
    assert engine.drawn == []
    assert alone.value.code() is grpc.StatusCode.UNAVAILABLE
    assert empty.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_better_prompt_waits_no_longer_than_the_calls_deadline(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """However slow the language model is."""
    with ChatServer(as_prompt(BETTER)) as server:
        server.gate.clear()
        async with start_gateway() as gateway, running_enhancer(bus_settings, server), calling(gateway) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as late:
                await stub.EnhancePrompt(pb.EnhanceRequest(prompt="a boat on a lake"), timeout=2)
            server.gate.set()
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_the_better_prompt_is_drawn_where_the_call_asks_for_it(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """The answer names what was drawn."""
    with ChatServer(as_prompt(BETTER)) as server:
        async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
            await offering(gateway)
            async with running_enhancer(bus_settings, server), calling(gateway) as stub:
                request = pb.ImageRequest(prompt="a boat on a lake", use_enhancer=True)
                drawn = await stub.GenerateImage(request)
    assert json.loads(drawn.metadata_json)["prompt"] == BETTER


def test_every_failure_has_a_status_here() -> None:
    """A code that is added has to be mapped."""
    assert set(convert.GRPC_STATUS) == set(ErrorCode)


async def test_what_cannot_be_done_is_said_with_a_status_and_as_json(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """The same limits as HTTP."""
    cases = {
        "": (pb.ImageRequest(prompt=""), grpc.StatusCode.INVALID_ARGUMENT, 400),
        "model": (pb.ImageRequest(prompt="x", model="sdxl"), grpc.StatusCode.NOT_FOUND, 404),
        "size": (pb.ImageRequest(prompt="x", width=99999), grpc.StatusCode.INVALID_ARGUMENT, 400),
        "steps": (pb.ImageRequest(prompt="x", num_inference_steps=5000), grpc.StatusCode.INVALID_ARGUMENT, 400),
    }
    async with start_gateway() as gateway:
        async with calling(gateway) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as early:
                await stub.GenerateImage(pb.ImageRequest(prompt="x"))
            async with running_worker(bus_settings, FakeEngine()):
                await offering(gateway)
                for request, code, status in cases.values():
                    with pytest.raises(grpc.aio.AioRpcError) as caught:
                        await stub.GenerateImage(request)
                    assert caught.value.code() is code, request
                    said = dict(caught.value.trailing_metadata() or ())["easel-error"]
                    assert json.loads(said)["status_code"] == status
    assert early.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_keys_are_asked_for_in_metadata(
    start_gateway: StartGateway, bus_settings: BusSettings, tmp_path: Path
) -> None:
    """The same keys as HTTP; another key's job does not exist."""
    keys = tmp_path / "keys.json"
    one, two = create_key(keys, "one"), create_key(keys, "two")
    async with start_gateway(EASEL_GATEWAY_KEYS_FILE=str(keys)) as gateway:
        async with running_worker(bus_settings, FakeEngine()):
            await offering(gateway, key=one)
            async with calling(gateway) as stub:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await stub.GetStatus(pb.StatusRequest())
                mine = await stub.GenerateImage(
                    pb.ImageRequest(prompt="x", width=64), metadata=(("authorization", f"Bearer {one}"),)
                )
                with pytest.raises(grpc.aio.AioRpcError) as hidden:
                    await stub.CancelJob(pb.JobRequest(job_id=mine.job_id), metadata=(("x-api-key", two),))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert hidden.value.code() is grpc.StatusCode.NOT_FOUND


async def test_status_health_and_reflection_describe_the_service(
    start_gateway: StartGateway, bus_settings: BusSettings
) -> None:
    """What grpcurl and a load balancer ask."""
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine(), name="w1"):
        await offering(gateway)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.grpc_port}") as channel:
            status = await Text2ImageServiceStub(channel).GetStatus(pb.StatusRequest())
            health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            listing = reflection_pb2.ServerReflectionRequest(list_services="")
            answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([listing]))
            services = [service.name async for answer in answers for service in answer.list_services_response.service]
    assert (status.status, list(status.models), [worker.id for worker in status.workers]) == ("ready", ["fake"], ["w1"])
    assert json.loads(status.status_json)["status_code"] == 200
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert "text2image.Text2ImageService" in services
