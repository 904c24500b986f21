"""`/models/load` and `/models/unload`: what `easel models load` and `unload` ask."""

from __future__ import annotations

import asyncio
from functools import partial

from litestar import post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.response import Stream

from gateway.api.models import convert, schemas
from gateway.api.operation import taking
from gateway.auth import HttpRequest, moving, needs
from gateway.body import parse, read_json
from gateway.keys import Scope
from gateway.replies import Answer, json_reply
from gateway.service import Service
from gateway.sse import COMMENT, HEADERS, with_keep_alives

_TAGS = ["Models"]


@post(
    "/models/load",
    status_code=200,
    summary="Bring a model into a worker's memory, on a device",
    tags=_TAGS,
    operation_id="loadModel",
    operation_class=taking(schemas.LoadRequest),
    responses={200: ResponseSpec(schemas.ModelReply, description="It is there")},
)
async def load(
    request: HttpRequest,
    service: NamedDependency[Service],
    draining: NamedDependency[asyncio.Event],
) -> Answer | Stream:
    body = parse(await read_json(request, service.settings), schemas.LoadRequest)
    loading = partial(service.loading.load, body.model, body.worker, body.device, moving(request))
    if body.stream:
        events = with_keep_alives(convert.stages(body.model, loading), draining, keep_alive=COMMENT)
        return Stream(events, media_type="text/event-stream", headers=HEADERS)
    return json_reply(schemas.ModelReply(model=body.model, workers=(await loading(),)))


@post(
    "/models/unload",
    status_code=200,
    summary="Take a model out of the memory of one worker, or of all",
    tags=_TAGS,
    operation_id="unloadModel",
    operation_class=taking(schemas.UnloadRequest),
    opt=needs(Scope.ADMIN),
    responses={200: ResponseSpec(schemas.ModelReply, description="It is gone from there")},
)
async def unload(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    body = parse(await read_json(request, service.settings), schemas.UnloadRequest)
    return json_reply(
        schemas.ModelReply(model=body.model, workers=await service.loading.unload(body.model, body.worker))
    )


HANDLERS = (load, unload)
