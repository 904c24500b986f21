"""What clients list before they draw: models and samplers as live workers have them; the rest is empty, and says so."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.openapi import ResponseSpec

from contracts.images import ModelInfo
from contracts.workers import DeviceLoad, WorkerPresence
from gateway.api.sdapi import schemas
from gateway.auth import OPEN
from gateway.replies import Answer, json_reply
from gateway.resolve import choose_model
from gateway.service import Service
from gateway.settings import GatewaySettings

_TAGS = ["SD web UI"]
_OBJECT = {200: ResponseSpec(dict[str, Any], description="By name")}
OWN_SAMPLER = "Automatic"
"""Stands for the model's own where no model tells its name."""
_NOTHING: dict[str, Any] = {
    "hypernetworks": [],
    "face-restorers": [],
    "realesrgan-models": [],
    "prompt-styles": [],
    "extensions": [],
    "script-info": [],
    "sd-vae": [],
    "sd-modules": [],
    "latent-upscale-modes": [],
    "embeddings": {"loaded": {}, "skipped": {}},
    "scripts": {"txt2img": [], "img2img": []},
    "upscalers": [{"name": "None", "model_name": None, "model_path": None, "model_url": None, "scale": 1}],
    "schedulers": [
        {"name": "automatic", "label": "Automatic", "aliases": None, "default_rho": -1, "need_inner_model": False},
        {"name": "karras", "label": "Karras", "aliases": None, "default_rho": 7, "need_inner_model": False},
    ],
    "cmd-flags": {"api": True, "api_server_stop": False},
}
"""Answers that no worker changes, by route."""
_LIVE_LISTS = ("checkpoints", "vae", "loras")


def model_named(
    name: str | None, offered: Mapping[str, tuple[ModelInfo, WorkerPresence]], settings: GatewaySettings
) -> str:
    """Id of the model that `name` means; of the default for None.

    Raises:
        EaselError: MODEL_NOT_FOUND, UNAVAILABLE.
    """
    return choose_model(name, [model for model, _ in offered.values()], settings).id


@get(
    "/sdapi/v1/sd-models",
    summary="The models that live workers offer",
    tags=_TAGS,
    operation_id="sdModels",
    responses={200: ResponseSpec(list[schemas.SdModel], description="Models")},
)
async def sd_models(service: NamedDependency[Service]) -> Answer:
    models = [model for model, _ in service.models().values()]
    return json_reply([schemas.SdModel(title=it.id, model_name=it.id, filename=it.source) for it in models])


@get(
    "/sdapi/v1/samplers",
    summary="The samplers of all models on offer",
    tags=_TAGS,
    operation_id="sdSamplers",
    responses={200: ResponseSpec(list[schemas.Sampler], description="Samplers")},
)
async def samplers(service: NamedDependency[Service]) -> Answer:
    names = dict.fromkeys(name for model, _ in service.models().values() for name in model.schedulers)
    return json_reply([schemas.Sampler(name=name) for name in names or (OWN_SAMPLER,)])


@get(
    "/sdapi/v1/loras",
    summary="The LoRAs that live workers have for their models",
    tags=_TAGS,
    operation_id="sdLoras",
    responses={200: ResponseSpec(list[schemas.SdLora], description="LoRAs")},
)
async def loras(service: NamedDependency[Service]) -> Answer:
    models: dict[str, list[str]] = {}
    for model, _ in service.models().values():
        for name in model.loras:
            models.setdefault(name, []).append(model.id)
    return json_reply([_lora(name, models[name]) for name in sorted(models)])


@get(
    "/sdapi/v1/memory",
    summary="Memory of the gateway's machine and of the workers' first graphics device, in bytes",
    tags=_TAGS,
    operation_id="sdMemory",
    responses=_OBJECT,
)
async def memory(service: NamedDependency[Service]) -> Answer:
    devices = (device for worker in service.workers() for device in worker.devices)
    return json_reply({"ram": _ram(), "cuda": _cuda(next(devices, None))})


def _cuda(device: DeviceLoad | None) -> dict[str, Any]:
    if device is None:
        return {"error": "unavailable"}
    used, total = device.memory_used_bytes, device.memory_bytes
    return {"system": {"free": total - used, "used": used, "total": total}}


def _lora(name: str, models: list[str]) -> schemas.SdLora:
    return schemas.SdLora(name=name, alias=name, path=f"{name}.safetensors", metadata={"models": models})


def _ram() -> dict[str, Any]:
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        free, total = (page * os.sysconf(name) for name in ("SC_AVPHYS_PAGES", "SC_PHYS_PAGES"))
    except (ValueError, OSError):
        return {"error": "unavailable"}
    return {"free": free, "used": total - free, "total": total}


@get(
    "/internal/ping",
    summary="Answers as long as the process does",
    tags=_TAGS,
    opt=OPEN,
    operation_id="sdPing",
    responses=_OBJECT,
)
async def ping() -> Answer:
    return json_reply({})


def _constant(name: str, answer: Any) -> BaseRouteHandler:
    @get(
        f"/sdapi/v1/{name}",
        summary=f"The {name} that there are",
        tags=_TAGS,
        operation_id=f"sd-{name}",
        responses={
            200: ResponseSpec(
                list[Any] if isinstance(answer, list) else dict[str, Any], description="As the web UI has it"
            )
        },
    )
    async def handler() -> Answer:
        return json_reply(answer)

    return handler


def _refresh(what: str) -> BaseRouteHandler:
    @post(
        f"/sdapi/v1/refresh-{what}",
        status_code=200,
        summary="Nothing to do: the lists are always of this moment",
        tags=_TAGS,
        operation_id=f"sd-refresh-{what}",
        responses={200: ResponseSpec(None, description="Nothing")},
    )
    async def handler() -> Answer:
        return json_reply(None)

    return handler


def _handlers() -> Iterable[BaseRouteHandler]:
    yield from (sd_models, samplers, loras, memory, ping)
    yield from (_constant(name, answer) for name, answer in _NOTHING.items())
    yield from map(_refresh, _LIVE_LISTS)


LISTS = tuple(_handlers())
