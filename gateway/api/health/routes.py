"""`/livez` (the process), `/startupz` (the bus was there once), `/readyz` (it can draw now), `/health` (for people)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec

from contracts.errors import EaselError
from contracts.workers import WorkerPresence
from gateway.auth import OPEN, HttpRequest, is_known
from gateway.lifespan import BusLink
from gateway.replies import Answer, json_reply
from gateway.service import Service

_TAGS = ["Health"]
_WELL = {200: ResponseSpec(dict[str, Any], description="It is well")}
_WELL_OR_NOT = {**_WELL, 503: ResponseSpec(dict[str, Any], description="It is not, and why")}


@get(
    "/livez",
    summary="Whether the process answers; never asks the bus",
    tags=_TAGS,
    opt=OPEN,
    operation_id="livez",
    responses=_WELL,
)
async def livez() -> Answer:
    return json_reply({"status": "alive"})


@get(
    "/startupz",
    summary="Whether the bus has been set up",
    tags=_TAGS,
    opt=OPEN,
    operation_id="startupz",
    responses=_WELL_OR_NOT,
)
async def startupz(link: NamedDependency[BusLink]) -> Answer:
    if link.was_ready:
        return json_reply({"status": "started"})
    return json_reply({"status": "starting", "reason": "the message bus has not been reached yet"}, 503)


@get(
    "/readyz",
    summary="Whether a picture could be drawn now; says what is missing",
    tags=_TAGS,
    opt=OPEN,
    operation_id="readyz",
    responses=_WELL_OR_NOT,
)
async def readyz(
    link: NamedDependency[BusLink], service: NamedDependency[Service], draining: NamedDependency[asyncio.Event]
) -> Answer:
    missing = _missing(link, service) | ({"process": "the gateway is about to end"} if draining.is_set() else {})
    if not missing:
        return json_reply({"status": "ready", "failed": []})
    return json_reply({"status": "not ready", "reason": "; ".join(missing.values()), "failed": list(missing)}, 503)


@get(
    "/health",
    summary="The model, the device and the queue",
    tags=_TAGS,
    opt=OPEN,
    operation_id="health",
    responses=_WELL_OR_NOT,
)
async def health(
    request: HttpRequest,
    link: NamedDependency[BusLink],
    service: NamedDependency[Service],
) -> Answer:
    missing = _missing(link, service)
    found: dict[str, Any] = {"status": "unhealthy" if missing else "healthy"}
    if missing:
        found["reason"] = "; ".join(missing.values())
    elif is_known(request):
        found |= await _details(service)
    return json_reply(found, 503 if missing else 200)


def _missing(link: BusLink, service: Service) -> dict[str, str]:
    """What drawing needs and is not there, by the name of its check."""
    if not link.was_ready or not link.connected:
        return {"bus": "the message bus is not connected"}
    return {} if service.models() else {"workers": "no worker is connected"}


async def _details(service: Service) -> dict[str, Any]:
    models, drawing = service.models(), [worker for worker in service.workers() if worker.models]
    model, worker = next(iter(models.values()))
    try:
        depths = await service.depths()
        waiting, running = sum(d.waiting for d in depths.values()), sum(d.running for d in depths.values())
        queue: dict[str, Any] = {"waiting": waiting, "running": running, "max_size": service.settings.max_queue_size}
    except EaselError as fault:
        queue = {"error": fault.message}
    return {
        "model": model.id,
        "device": worker.device,
        "queue_size": queue.get("waiting"),
        "queue": queue,
        "models": list(models),
        "devices": sorted({worker.device for worker in drawing}),
        "gpus": _gpus(drawing),
        "workers": len(drawing),
    }


def _gpus(workers: Sequence[WorkerPresence]) -> list[dict[str, Any]]:
    """The graphics devices that drivers tell of, each once, though several workers may share it."""
    found = {(worker.host, device.id): device for worker in workers for device in worker.devices}
    return [{"host": host, **msgspec.structs.asdict(found[host, name])} for host, name in sorted(found)]


HANDLERS = (livez, startupz, readyz, health)
