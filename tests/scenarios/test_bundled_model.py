"""What the pictures show, by every way of asking: the bundled model, in the service that draws with it."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from PIL import Image

from gateway.rpc import text2image_pb2 as pb
from gateway.rpc.text2image_pb2_grpc import Text2ImageServiceStub
from tests.support.nats_server import NatsServer
from tests.support.whole_system import System, whole_system

pytest.importorskip("diffusers")
pytestmark = [pytest.mark.xdist_group("bundled"), pytest.mark.timeout(300)]

SIZE = {"width": 256, "height": 256}
EDGE = 16
"""Pixels of a corner that are looked at."""


@pytest.fixture(scope="module")
def system(nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("bundled")
    with whole_system(nats_server, folder, module="services.diffusion") as found:
        yield found


@pytest.fixture
def http(system: System) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=system.url, timeout=120) as client:
        yield client


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    """Height x width x 3, 0 to 255."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=float)


def png(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (256, 256), colour).save(out, "PNG")
    return out.getvalue()


def corner(picture: np.ndarray[Any, Any], left: str, top: str = "top") -> np.ndarray[Any, Any]:
    """Its mean colour."""
    columns = slice(EDGE) if left == "left" else slice(-EDGE, None)
    rows = slice(EDGE) if top == "top" else slice(-EDGE, None)
    mean: np.ndarray[Any, Any] = picture[rows, columns].reshape(-1, 3).mean(0)
    return mean


def is_of(colour: np.ndarray[Any, Any], name: str) -> bool:
    """Whether it is more red, green or blue than all the rest together."""
    channel = ("red", "green", "blue").index(name)
    return bool(colour[channel] > colour.sum() - colour[channel])


def ground_is(picture: np.ndarray[Any, Any], name: str) -> bool:
    return all(is_of(corner(picture, left, top), name) for left in ("left", "right") for top in ("top", "bottom"))


def answered(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


Draw = Callable[[System, str, Path], Awaitable[bytes]]


async def posted(system: System, path: str, body: dict[str, Any]) -> Any:
    async with httpx.AsyncClient(base_url=system.url, timeout=120) as client:
        return answered(await client.post(path, json=body))


async def by_openai(system: System, prompt: str, _: Path) -> bytes:
    body = {"prompt": prompt, "seed": 1, "size": "256x256"}
    return base64.b64decode((await posted(system, "/v1/images/generations", body))["data"][0]["b64_json"])


async def by_prompt_assist(system: System, prompt: str, _: Path) -> bytes:
    body = {"prompt": prompt, "use_enhancer": False, "size": "256x256"}
    return base64.b64decode((await posted(system, "/v1/images/generations", body))["data"][0]["base64_encoded_image"])


async def by_jobs(system: System, prompt: str, _: Path) -> bytes:
    body = {"prompt": prompt, "seed": 1, **SIZE}
    return base64.b64decode((await posted(system, "/generate", body))["image_base64"])


async def by_mode(system: System, prompt: str, _: Path) -> bytes:
    body = {"mode": "txt2img", "prompt": prompt, "seed": 1, **SIZE}
    return base64.b64decode((await posted(system, "/generate", body))["base64"])


async def by_web_ui(system: System, prompt: str, _: Path) -> bytes:
    body = {"prompt": prompt, "seed": 1, "steps": 20, "sampler_name": "DPM++ 9X Imaginary", **SIZE}
    return base64.b64decode((await posted(system, "/sdapi/v1/txt2img", body))["images"][0])


async def by_grpc(system: System, prompt: str, _: Path) -> bytes:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{system.grpc_port}") as channel:
        drawn = await Text2ImageServiceStub(channel).GenerateImage(pb.ImageRequest(prompt=prompt, seed=1, **SIZE))
    return bytes(drawn.image)


async def by_the_command(system: System, prompt: str, folder: Path) -> bytes:
    file = folder / "drawn.png"
    words = ("generate", prompt, "--seed", "1", "--output", str(file))
    environment = os.environ | {"EASEL_URL": system.url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", *words, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0
    return file.read_bytes()


@pytest.mark.parametrize(
    "draw",
    [by_openai, by_prompt_assist, by_jobs, by_mode, by_web_ui, by_grpc, by_the_command],
    ids=lambda it: it.__name__,
)
@pytest.mark.parametrize("colour", ["red", "blue"])
async def test_the_ground_has_the_colour_that_was_asked(
    system: System, draw: Draw, colour: str, tmp_path: Path
) -> None:
    """At all four corners, whichever way the prompt came."""
    picture = pixels(await draw(system, f"a cat on a {colour} background", tmp_path))
    assert picture.shape == (256, 256, 3)
    assert ground_is(picture, colour)


def test_partial_pictures_come_nearer_to_the_finished_one(http: httpx.Client) -> None:
    """Each is nearer than the one before, and the last shows it already."""
    body = {"prompt": "a cat on a blue background", "seed": 1, "size": "256x256", "stream": True, "partial_images": 3}
    answer = http.post("/v1/images/generations", json=body)
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert [event["type"].split(".")[1] for event in events] == ["partial_image"] * 3 + ["completed"]
    *partial, finished = (pixels(base64.b64decode(event["b64_json"])) for event in events)
    side = partial[0].shape[:2][::-1]
    small = np.asarray(Image.fromarray(finished.astype(np.uint8)).resize(side), dtype=float)
    distances = [float(np.abs(picture - small).mean()) for picture in partial]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.75 * distances[0]
    assert ground_is(partial[-1], "blue")


def test_an_edit_changes_what_the_mask_leaves_open_and_nothing_else(http: httpx.Client) -> None:
    """The right half of a blue picture becomes red; the left half stays to the pixel."""
    hole = Image.new("RGBA", (256, 256), "black")
    hole.paste((0, 0, 0, 0), (128, 0, 256, 256))
    mask = io.BytesIO()
    hole.save(mask, "PNG")
    reply = http.post(
        "/v1/images/edits",
        data={"prompt": "a cat on a red background", "seed": "1"},
        files={"image": ("a.png", png("blue")), "mask": ("m.png", mask.getvalue())},
    )
    picture = pixels(base64.b64decode(answered(reply)["data"][0]["b64_json"]))
    assert (picture[:, :120] == (0, 0, 255)).all()
    assert is_of(corner(picture, "right", "top"), "red")
    assert is_of(corner(picture, "right", "bottom"), "red")


def test_the_strength_says_how_much_of_the_picture_remains(http: httpx.Client) -> None:
    """A little of it leaves a blue picture blue; all of it does not."""
    start = base64.b64encode(png("blue")).decode()
    body = {"prompt": "a cat on a red background", "init_images": [start], "seed": 1, **SIZE}
    kept, drawn = (
        pixels(base64.b64decode(answered(http.post("/sdapi/v1/img2img", json=body | change))["images"][0]))
        for change in ({"denoising_strength": 0.2}, {"denoising_strength": 1.0})
    )
    assert ground_is(kept, "blue")
    assert ground_is(drawn, "red")


def test_formats_and_thumbnails_show_the_same_picture(http: httpx.Client) -> None:
    """Of a picture that is larger than a thumbnail."""
    body = {"prompt": "a cat on a blue background", "seed": 1, "width": 512, "height": 512}
    job = ""
    found = {}
    for kind in ("png", "jpeg", "webp"):
        reply = answered(http.post("/generate", json=body | {"output_format": kind, "output_compression": 95}))
        found[kind], job = pixels(base64.b64decode(reply["image_base64"])), reply["job_id"]
    assert all(np.abs(found[kind] - found["png"]).mean() < 4 for kind in ("jpeg", "webp"))
    assert ground_is(pixels(http.get(f"/job/{job}/thumbnail").content), "blue")


def test_a_job_is_retried_with_another_picture_and_edited_from_its_own(http: httpx.Client) -> None:
    first = answered(http.post("/generate", json={"prompt": "a cat on a blue background", "seed": 1, **SIZE}))
    red = {"prompt": "a dog on a red background", "strength": 0.1, "seed": 1}
    begun = [
        answered(http.post(f"/job/{first['job_id']}/retry")),
        answered(http.post(f"/job/{first['job_id']}/edit", json=red)),
    ]
    again, edited = (pixels(_image(http, job["job_id"])) for job in begun)
    picture = pixels(base64.b64decode(first["image_base64"]))
    assert ground_is(again, "blue")
    assert (again != picture).any()
    assert corner(edited, "left").argmax() == corner(edited, "right").argmax() == 2, "hardly changed, and so still blue"


def _image(http: httpx.Client, job: str) -> bytes:
    """Of a job, once it has ended: its events end with it."""
    http.get(f"/job/{job}/events")
    return http.get(f"/job/{job}/image").raise_for_status().content
