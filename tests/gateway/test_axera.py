"""`POST /generate` with `mode`: the edge document's examples, and what the picker sends."""

from __future__ import annotations

import base64
import io
from typing import Any

import httpx
import pytest
from PIL import Image

from contracts.events import EventId, Progress, Started
from gateway.api.axera.convert import before_first_step


def png(side: int = 64) -> str:
    out = io.BytesIO()
    Image.new("RGB", (side, side), "navy").save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


TXT2IMG = {
    "mode": "txt2img",
    "prompt": "A photograph of a red fox in the snow, highly detailed",
    "width": 512,
    "height": 512,
    "steps": 7,
}
IMG2IMG = {
    "mode": "img2img",
    "prompt": "Make this image look like a pencil sketch",
    "init_image": png(),
    "width": 512,
    "height": 512,
    "steps": 7,
}
PICKER = {
    "negative_prompt": "text",
    "seed": -1,
    "cfg_scale": 1.5,
    "sampler_name": "DPM++ 2M Karras",
    "denoising_strength": 0.5,
    "n_iter": 1,
    "batch_size": 1,
    "init_images": [png()],
}


@pytest.mark.parametrize("body", [TXT2IMG, IMG2IMG, TXT2IMG | PICKER, IMG2IMG | PICKER])
async def test_the_documents_examples_and_the_pickers_requests(http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """The picker decodes images[0] without stripping a prefix."""
    answer = await http.post("/generate", json=body)
    assert answer.status_code == 200, answer.text
    reply = answer.json()
    assert reply["status"] == "ok"
    assert reply["images"] == [reply["base64"]]
    assert Image.open(io.BytesIO(base64.b64decode(reply["base64"], validate=True))).size == (512, 512)
    assert (reply["width"], reply["height"], reply["steps"]) == (512, 512, 7)
    assert 0 <= reply["text_time_ms"] <= reply["total_time_ms"]
    assert "error" not in reply


async def test_a_body_without_mode_gets_the_job_routes_reply(http: httpx.AsyncClient) -> None:
    reply = (await http.post("/generate", json={"prompt": "a fox"})).json()
    assert reply["success"] is True
    assert "image_base64" in reply


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"mode": "paint", "prompt": "a fox"}, "mode"),
        ({"mode": None, "prompt": "a fox"}, "mode"),
        ({"mode": "txt2img"}, "prompt"),
        ({"mode": "txt2img", "prompt": " "}, "prompt"),
        ({"mode": "img2img", "prompt": "a fox"}, "init_image"),
        ({"mode": "img2img", "prompt": "a fox", "init_image": "aGk="}, "init_image"),
        ({"mode": "txt2img", "prompt": "a fox", "width": -1}, "width"),
    ],
)
async def test_what_is_missing_or_wrong_is_named_and_never_a_200(
    http: httpx.AsyncClient, body: dict[str, Any], said: str
) -> None:
    refused = await http.post("/generate", json=body)
    assert refused.status_code == 400
    assert refused.json()["status"] == "error"
    assert said in refused.json()["error"]


def test_the_time_before_the_first_step_is_told_by_the_times_of_the_steps() -> None:
    """0.5 s of preparation, then steps of 0.2 s; another attempt's events do not count."""

    def step(attempt: int, number: int, at: float) -> Progress:
        return Progress(id=EventId(attempt, number), at=at, worker="w", started_at=0, step=number, total_steps=3)

    history = [
        Started(id=EventId(1, 0), at=1.0, worker="w"),
        Started(id=EventId(2, 0), at=10.0, worker="w"),
        *(step(2, number, 10.5 + 0.2 * number) for number in (1, 2, 3)),
    ]
    assert before_first_step(history, 2) == pytest.approx(0.5)
    assert before_first_step(history, 1) == 0
