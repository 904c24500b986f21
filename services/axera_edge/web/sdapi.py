"""The part of the Stable Diffusion web UI's API that its clients need to draw (`/sdapi/v1`)."""

from __future__ import annotations

import json
import time
from typing import Any

from litestar import Router, get, post
from litestar.di import NamedDependency

from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage, ModelInfo
from contracts.infotext import parameters_text
from services.axera_edge.web.asked import Asked, read_picture
from services.axera_edge.web.body import HttpRequest, read_body
from services.axera_edge.web.desk import Desk, Finished


class TextBody(Asked, kw_only=True):
    """The body of `txt2img`, as far as it has a meaning here."""

    send_images: bool | None = None


class PictureBody(TextBody, kw_only=True):
    """The body of `img2img`."""

    init_images: list[str] | None = None
    mask: str | None = None


@post("/txt2img", status_code=200)
async def txt2img(request: HttpRequest, desk: NamedDependency[Desk]) -> dict[str, Any]:
    """Draw from a prompt."""
    body = await read_body(request, TextBody)
    wanted = body.request(_model(desk), None)
    return _reply(body, await desk.draw(wanted, body.inputs(None, wanted)))


@post("/img2img", status_code=200)
async def img2img(request: HttpRequest, desk: NamedDependency[Desk]) -> dict[str, Any]:
    """Draw from a prompt and a picture."""
    body = await read_body(request, PictureBody)
    if not body.init_images:
        raise EaselError(ErrorCode.NOT_FOUND, "Init image not found")
    if body.mask:
        raise EaselError(ErrorCode.UNSUPPORTED, f"{_model(desk).id} cannot paint inside a mask", param="mask")
    picture = read_picture(body.init_images[0])
    wanted = body.request(_model(desk), picture)
    return _reply(body, await desk.draw(wanted, body.inputs(picture, wanted)))


@post("/interrupt", status_code=200)
async def interrupt(desk: NamedDependency[Desk]) -> dict[str, Any]:
    """End the request at the card after its step."""
    desk.interrupt()
    return {}


@get("/progress")
async def progress(desk: NamedDependency[Desk]) -> dict[str, Any]:
    """How far the request at the card is."""
    running = desk.running
    done = 0.0 if running is None else min(1.0, 0.01 + running.step / max(1, running.steps))
    spent = 0.0 if running is None else time.time() - running.started_at
    return {
        "progress": done,
        "eta_relative": spent * (1 - done) / done if done else 0.0,
        "state": {
            "skipped": False,
            "interrupted": bool(running and running.interrupted),
            "stopping_generation": False,
            "job": "generate" if running else "",
            "job_count": int(running is not None),
            "job_timestamp": time.strftime("%Y%m%d%H%M%S", time.localtime(running.started_at)) if running else "0",
            "job_no": 0,
            "sampling_step": running.step if running else 0,
            "sampling_steps": running.steps if running else 0,
        },
        "current_image": None,
        "textinfo": None,
    }


@get("/sd-models")
async def models(desk: NamedDependency[Desk]) -> list[dict[str, Any]]:
    """The one model there is."""
    it = _model(desk)
    return [{"title": it.id, "model_name": it.id, "hash": None, "sha256": None, "filename": it.source, "config": None}]


@get("/samplers")
async def samplers(desk: NamedDependency[Desk]) -> list[dict[str, Any]]:
    """The samplers that the model has; others that clients name mean the first."""
    return [{"name": name, "aliases": [name.lower()], "options": {}} for name in _model(desk).schedulers]


@get("/schedulers")
async def schedulers() -> list[dict[str, Any]]:
    """There is one spacing of steps."""
    automatic = {"name": "automatic", "label": "Automatic", "aliases": None}
    return [automatic | {"default_rho": -1, "need_inner_model": False}]


@get("/options")
async def options(desk: NamedDependency[Desk]) -> dict[str, Any]:
    """What clients look up before they draw."""
    return {
        "sd_model_checkpoint": _model(desk).id,
        "sd_checkpoint_hash": "",
        "samples_format": "png",
        "sd_vae": "Automatic",
        "CLIP_stop_at_last_layers": 1,
    }


@post("/options", status_code=200)
async def set_options(request: HttpRequest, desk: NamedDependency[Desk]) -> None:
    """Takes what clients send back; there is one model, so another is refused."""
    wanted = (await read_body(request, dict[str, Any])).get("sd_model_checkpoint")
    if wanted not in (None, _model(desk).id):
        raise EaselError(ErrorCode.UNSUPPORTED, f"no model {str(wanted)[:100]!r}; this device has {_model(desk).id}")


def _model(desk: Desk) -> ModelInfo:
    return desk.engine.models[0]


def _reply(body: TextBody, done: Finished) -> dict[str, Any]:
    """`parameters` names only what had a meaning: clients put their passwords into the rest."""
    used = {
        "prompt": body.prompt,
        "negative_prompt": body.negative_prompt or "",
        "seed": body.seed,
        "steps": body.steps,
        "width": done.request.width,
        "height": done.request.height,
        "cfg_scale": body.cfg_scale,
        "sampler_name": body.sampler_name,
        "batch_size": body.batch_size,
        "n_iter": body.n_iter,
        "denoising_strength": body.denoising_strength,
    }
    images = [] if body.send_images is False else done.images
    return {"images": images, "parameters": used, "info": json.dumps(_info(done.request, len(done.images)))}


def _info(request: GenerateImage, count: int) -> dict[str, Any]:
    size = (request.width, request.height)
    seeds = [request.image_seed(index) for index in range(count)]
    return {
        "prompt": request.prompt,
        "all_prompts": [request.prompt] * count,
        "negative_prompt": request.negative_prompt,
        "all_negative_prompts": [request.negative_prompt] * count,
        "seed": request.seed,
        "all_seeds": seeds,
        "subseed": 0,
        "all_subseeds": [0] * count,
        "subseed_strength": 0,
        "width": request.width,
        "height": request.height,
        "sampler_name": request.scheduler,
        "cfg_scale": request.guidance_scale,
        "steps": request.num_inference_steps,
        "batch_size": count,
        "sd_model_name": request.model,
        "sd_model_hash": "",
        "denoising_strength": request.strength if request.init_image else None,
        "extra_generation_params": {},
        "index_of_first_image": 0,
        "infotexts": [parameters_text(request, index, size) for index in range(count)],
        "styles": [],
        "clip_skip": 1,
        "is_using_inpainting_conditioning": False,
    }


HANDLERS = (
    Router(
        "/sdapi/v1",
        route_handlers=[
            txt2img,
            img2img,
            interrupt,
            progress,
            models,
            samplers,
            schedulers,
            options,
            set_options,
        ],
    ),
)
