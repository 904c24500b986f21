"""The device alone: the picker, the web UI's client and everybody else over HTTP."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import threading
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import webuiapi
from PIL import Image

from runtime.process.shutdown import Shutdown
from services.axera_edge.engine import Drawn, EdgeEngine
from services.axera_edge.web.desk import Desk
from services.axera_edge.web.server import serve_http
from tests.support.edge_models import edge_engine
from tests.support.edge_process import EdgeProcess

PICKER = {
    "prompt": "a red fox in the snow",
    "negative_prompt": "blurry",
    "seed": -1,
    "steps": 7,
    "width": 512,
    "height": 512,
    "cfg_scale": 1.5,
    "sampler_name": "DPM++ 2M Karras",
    "denoising_strength": 0.5,
    "n_iter": 1,
    "batch_size": 1,
    "mode": "txt2img",
}
"""What the picker client sends, field by field."""


@pytest.fixture(scope="module")
def device(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeProcess]:
    with EdgeProcess(small_model, tmp_path_factory.mktemp("edge") / "log") as process:
        process.url  # noqa: B018  waits until it listens
        yield process


@pytest.fixture(scope="module")
def engine(small_model: Path) -> EdgeEngine:
    return edge_engine(small_model)


@pytest.fixture
async def http(engine: EdgeEngine) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(Desk(engine, wait_s=30, max_waiting=8)) as client:
        yield client


@contextlib.asynccontextmanager
async def serving(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the real server in front of `desk`."""
    shutdown, listening = Shutdown(10), asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve_http(desk, "127.0.0.1", 0, shutdown, listening.set_result))
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{await listening}", timeout=60) as client:
            yield client
    finally:
        shutdown.request()
        await server


def png(size: tuple[int, int] = (512, 512)) -> str:
    """A smooth picture in base64."""
    down, across = np.mgrid[0 : size[1], 0 : size[0]]
    out = io.BytesIO()
    Image.fromarray(np.stack([across % 256, down % 256, (across + down) % 256], -1).astype(np.uint8)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text, validate=True)))


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    """As the picker does it: urllib, thirty seconds."""
    request = urllib.request.Request(
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def test_the_pickers_request_gets_a_picture_it_can_read(device: EdgeProcess) -> None:
    reply = post(f"{device.url}/generate", PICKER)
    assert opened(reply["images"][0]).size == (512, 512)
    assert (reply["status"], reply["base64"]) == ("ok", reply["images"][0])
    assert (reply["width"], reply["height"], reply["steps"]) == (512, 512, 4)
    assert reply["total_time_ms"] >= reply["text_time_ms"] >= 0


def test_the_pickers_picture_to_start_from_is_taken(device: EdgeProcess) -> None:
    start = png()
    body = PICKER | {"mode": "img2img", "init_image": start, "init_images": [start], "seed": 5}
    reply = post(f"{device.url}/generate", body)
    assert opened(reply["images"][0]).size == (512, 512)
    assert reply["seed"] == 5


def test_a_seed_draws_the_same_picture_again(device: EdgeProcess) -> None:
    once, again = (opened(post(f"{device.url}/generate", PICKER | {"seed": 42})["base64"]) for _ in range(2))
    assert once.tobytes() == again.tobytes()
    assert once != post(f"{device.url}/generate", PICKER | {"seed": 43})["base64"]


def test_webuiapis_calls_work_unchanged(device: EdgeProcess) -> None:
    host, port = device.url.removeprefix("http://").split(":")
    api = webuiapi.WebUIApi(host=host, port=int(port))
    drawn = api.txt2img(prompt="a fox", seed=7, sampler_name="Euler a", steps=20, cfg_scale=7, batch_size=2)
    assert [image.size for image in drawn.images] == [(512, 512)] * 2
    assert drawn.info["all_seeds"] == [7, 8]
    assert "Steps: 4" in drawn.info["infotexts"][0]
    edited = api.img2img(images=[drawn.image], prompt="a sketch", denoising_strength=0.4, seed=1)
    assert edited.image.size == (512, 512)
    title = api.util_get_model_names()[0]
    assert api.get_options()["sd_model_checkpoint"] == title
    api.set_options({"sd_model_checkpoint": title})
    assert api.get_samplers()[0]["name"] == "LCM"
    assert api.get_schedulers()
    api.interrupt()
    assert api.get_progress()["state"]["job_count"] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mode": None}, "mode"),
        ({"mode": "inpaint"}, "mode"),
        ({"prompt": " "}, "prompt"),
        ({"width": 1024}, "512x512"),
        ({"steps": 0}, "steps"),
        ({"sampler_name": "Magic"}, "LCM"),
        ({"seed": -2}, "seed"),
        ({"batch_size": 100}, "batch_size"),
        ({"mode": "img2img"}, "init_image"),
        ({"mode": "img2img", "init_image": "no base64!"}, "base64"),
        ({"mode": "img2img", "init_image": "aGVsbG8="}, "not a PNG"),
        ({"mode": "img2img", "init_image": "http://10.0.0.1/x.png"}, "fetched"),
        ({"mode": "img2img", "init_image": "iVBORw0KGgo=", "denoising_strength": 2}, "init_image"),
        ({"mode": "img2img", "denoising_strength": 2, "init_image": png((8, 8))}, "denoising_strength"),
        ({"mode": "img2img", "resize_mode": 9, "init_image": png((8, 8))}, "resize_mode"),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong_in_both_dialects(
    http: httpx.AsyncClient, change: dict[str, Any], said: str
) -> None:
    answer = await http.post("/generate", json=PICKER | change)
    assert (answer.status_code, answer.json()["status"]) == (400, "error")
    assert said in answer.json()["error"]


async def test_the_web_uis_dialect_tells_faults_its_own_way(http: httpx.AsyncClient) -> None:
    answer = await http.post("/sdapi/v1/txt2img", json={"prompt": "a fox", "width": 640})
    assert answer.status_code == 422
    assert set(answer.json()) == {"error", "detail", "body", "errors"}
    assert (await http.post("/sdapi/v1/img2img", json={"prompt": "a fox"})).status_code == 404
    masked = {"prompt": "a fox", "init_images": [png((8, 8))], "mask": png((8, 8))}
    assert "mask" in (await http.post("/sdapi/v1/img2img", json=masked)).json()["detail"]
    other = await http.post("/sdapi/v1/options", json={"sd_model_checkpoint": "sdxl"})
    assert "sd15-lcm" in other.json()["detail"]


async def test_secrets_that_clients_send_along_are_not_echoed(http: httpx.AsyncClient) -> None:
    body = {"prompt": "a fox", "steps": 1, "auth": "user:secret", "url": "http://192.168.0.9", "enable_hr": True}
    assert "secret" not in (await http.post("/sdapi/v1/txt2img", json=body)).text


@pytest.mark.parametrize("mode", [0, 1, 2])
async def test_a_picture_of_another_shape_is_fitted_as_asked(http: httpx.AsyncClient, mode: int) -> None:
    data_url = f"data:image/png;base64,{png((300, 200))}"
    body = {"mode": "img2img", "prompt": "a fox", "init_image": data_url, "resize_mode": mode, "seed": 1}
    reply = (await http.post("/generate", json=body)).json()
    assert opened(reply["base64"]).size == (512, 512)


async def test_only_json_is_read(http: httpx.AsyncClient) -> None:
    answer = await http.post("/generate", content=json.dumps(PICKER), headers={"content-type": "text/plain"})
    assert (answer.status_code, "application/json" in answer.json()["error"]) == (400, True)
    assert (await http.post("/generate", content="{", headers={"content-type": "application/json"})).status_code == 400
    assert (await http.get("/generate")).status_code == 405
    assert (await http.get("/nowhere")).json()["status"] == "error"


async def test_health_says_what_runs_where(http: httpx.AsyncClient) -> None:
    told = (await http.get("/health")).json()
    assert (told["status"], told["model"], told["busy"]) == ("ok", "sd15-lcm", False)
    assert "ONNX Runtime" in told["device"]


class OccupiedCard:
    """The card's thread held by somebody else, as a job from the bus holds it."""

    def __init__(self, engine: EdgeEngine) -> None:
        self._release, begun = threading.Event(), threading.Event()

        def hold() -> None:
            begun.set()
            self._release.wait(60)

        self._thread = threading.Thread(target=engine.npu.run, args=(hold,))
        self._thread.start()
        begun.wait(30)

    def release(self) -> None:
        self._release.set()
        self._thread.join()


async def test_a_busy_card_is_told_with_a_time_to_come_back(engine: EdgeEngine) -> None:
    async with serving(Desk(engine, wait_s=0.05, max_waiting=8)) as http:
        card = OccupiedCard(engine)
        try:
            refused = await http.post("/generate", json=PICKER)
        finally:
            card.release()
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert (await http.post("/generate", json=PICKER)).status_code == 200


async def test_no_more_wait_than_may(engine: EdgeEngine) -> None:
    async with serving(Desk(engine, wait_s=30, max_waiting=1)) as http:
        card = OccupiedCard(engine)
        try:
            both = {asyncio.create_task(http.post("/generate", json=PICKER)) for _ in range(2)}
            refused, waiting = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            card.release()
        answer = refused.pop().result()
        assert (answer.status_code, "1 requests are waiting" in answer.json()["error"]) == (503, True)
        assert (await waiting.pop()).status_code == 200


class SlowEngine:
    """The engine, waiting after each step until it is let on."""

    def __init__(self, engine: EdgeEngine) -> None:
        self._engine = engine
        self.models = engine.models
        self.stepped, self.let_on = threading.Event(), threading.Event()

    def draw(self, request: Any, on_step: Any, inputs: Any, wait_s: float | None) -> Drawn:
        def wait(*step: Any) -> None:
            on_step(*step[:2])
            self.stepped.set()
            self.let_on.wait(60)
            on_step(*step)

        return self._engine.draw(request, wait, inputs, wait_s)


async def test_an_interrupted_request_gets_what_there_is(engine: EdgeEngine) -> None:
    slow = SlowEngine(engine)
    desk = Desk(slow, wait_s=30, max_waiting=8)  # type: ignore[arg-type]
    async with serving(desk) as http:
        drawing = asyncio.create_task(http.post("/sdapi/v1/txt2img", json={"prompt": "a fox", "seed": 3}))
        await asyncio.to_thread(slow.stepped.wait, 60)
        told = (await http.get("/sdapi/v1/progress")).json()
        await http.post("/sdapi/v1/interrupt")
        slow.let_on.set()
        stopped = (await drawing).json()
        assert (told["state"]["sampling_step"], told["state"]["sampling_steps"], told["state"]["job_count"]) == (
            1,
            4,
            1,
        )
        assert opened(stopped["images"][0]).size == (512, 512)
        whole = (await http.post("/sdapi/v1/txt2img", json={"prompt": "a fox", "seed": 3})).json()
        assert stopped["images"] != whole["images"]
