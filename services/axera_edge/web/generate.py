"""`POST /generate` and `GET /health`: the picker's dialect."""

from __future__ import annotations

from typing import Any, Literal

from litestar import Response, get, post
from litestar.di import NamedDependency

from contracts.errors import EaselError, ErrorCode
from services.axera_edge.web.asked import Asked, read_picture
from services.axera_edge.web.body import HttpRequest, read_body
from services.axera_edge.web.desk import Desk

STUCK_S = 60.0
"""Silence of a busy card after which the device calls itself unhealthy."""


class GenerateBody(Asked, kw_only=True):
    """The body of `POST /generate`."""

    mode: Literal["txt2img", "img2img"]
    init_image: str | None = None
    """PNG, JPEG or WebP in base64."""
    init_images: list[str] | None = None
    """The same as the web UI's clients send it; `init_image` wins."""
    strength: float | None = None
    """Another name of `denoising_strength`."""


@post("/generate", status_code=200)
async def generate(request: HttpRequest, desk: NamedDependency[Desk]) -> dict[str, Any]:
    """Draw, and answer with the pictures."""
    body = await read_body(request, GenerateBody)
    if body.denoising_strength is None:
        body.denoising_strength = body.strength
    text = body.init_image or (body.init_images or [""])[0]
    if body.mode == "img2img" and not text:
        raise EaselError(ErrorCode.INVALID_REQUEST, "mode img2img needs init_image: a picture in base64")
    picture = read_picture(text) if body.mode == "img2img" else None
    wanted = body.request(desk.engine.models[0], picture)
    done = await desk.draw(wanted, body.inputs(picture, wanted))
    return {
        "status": "ok",
        "base64": done.images[0],
        "images": done.images,
        "seed": wanted.seed,
        "width": wanted.width,
        "height": wanted.height,
        "steps": wanted.num_inference_steps,
        "sampler_name": wanted.scheduler,
        "text_time_ms": done.text_time_ms,
        "total_time_ms": done.total_time_ms,
    }


@get("/health")
async def health(desk: NamedDependency[Desk]) -> Response[dict[str, Any]]:
    """Whether the card answers, and what is loaded."""
    engine = desk.engine
    silent = engine.npu.silent_s
    stuck = silent > STUCK_S
    body = {
        "status": "error" if stuck else "ok",
        "device": engine.device,
        "model": engine.models[0].id,
        "loaded": bool(engine.loaded),
        "busy": engine.npu.busy,
    }
    if stuck:
        body["error"] = f"the card has not answered for {silent:.0f} s"
    return Response(body, status_code=503 if stuck else 200)


HANDLERS = (generate, health)
