"""`/pipeline/…`: one slot for each API key, kept on the bus, so that every gateway shows the same."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec

from contracts import codec
from contracts.errors import EaselError, ErrorCode
from contracts.jobs import JobRecord
from gateway.api.operation import taking
from gateway.api.pipeline import convert, schemas
from gateway.auth import HttpRequest, moving, owner
from gateway.body import parse, read_json
from gateway.replies import Answer, json_reply
from gateway.service import Service

_TAGS = ["Pipeline"]
_TOPIC = "pipeline"


class _Found(NamedTuple):
    slot: schemas.Slot
    revision: int
    record: JobRecord | None
    """The last run, as long as it is known."""


@post(
    "/pipeline/select-device",
    status_code=200,
    summary="Prepare the pipeline on a device",
    tags=_TAGS,
    operation_id="selectDevice",
    operation_class=taking(schemas.SelectDeviceRequest),
    responses={200: ResponseSpec(schemas.PipelineReply, description="It is in memory there")},
)
async def select_device(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    body = parse(await read_json(request, service.settings), schemas.SelectDeviceRequest)
    found = await _find(request, service)
    if convert.is_running(found.record):
        raise EaselError(ErrorCode.CONFLICT, convert.NOT_NOW)
    await service.loading.select_device(body.device, moving(request))
    await _replace(request, service, found, msgspec.structs.replace(found.slot, device=body.device))
    return json_reply(convert.prepared(body.device))


@post(
    "/pipeline/run",
    status_code=200,
    summary="Draw in the background",
    tags=_TAGS,
    operation_id="runPipeline",
    operation_class=taking(schemas.RunRequest),
    responses={200: ResponseSpec(schemas.PipelineReply, description="Queued, and durable")},
)
async def run(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    body = parse(await read_json(request, service.settings), schemas.RunRequest)
    found = await _find(request, service)
    if not found.slot.device or convert.is_running(found.record):
        raise EaselError(ErrorCode.CONFLICT, convert.NOT_NOW)
    mine = owner(request)
    job = (await service.submit(convert.wanted(body, found.slot), mine)).job
    try:
        await _replace(request, service, found, msgspec.structs.replace(found.slot, job_id=job.id))
    except EaselError:
        await service.cancel(job.id, mine)
        raise
    return json_reply(convert.success(convert.STARTED))


@get(
    "/pipeline/status",
    summary="Whether the last run goes on, and whether it has its picture",
    tags=_TAGS,
    operation_id="pipelineStatus",
    responses={200: ResponseSpec(schemas.PipelineStatus, description="Neither, before the first run")},
)
async def status(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    return json_reply(convert.status((await _find(request, service)).record))


@get(
    "/pipeline/image",
    summary="The picture of the last run; 409 before it is there",
    tags=_TAGS,
    operation_id="pipelineImage",
    responses={200: ResponseSpec(bytes, description="The picture", media_type="image/png")},
)
async def image(request: HttpRequest, service: NamedDependency[Service]) -> Response[bytes]:
    outcome = convert.succeeded((await _find(request, service)).record)
    ref, data = await service.picture(outcome, 0)
    return Response(data, media_type=ref.content_type, headers={"cache-control": "no-store"})


async def _find(request: HttpRequest, service: Service) -> _Found:
    mine = owner(request)
    note = await service.recall(mine, _TOPIC)
    slot = codec.decode(note.data, schemas.Slot) if note.data else schemas.Slot()
    try:
        record = await service.job(slot.job_id, mine) if slot.job_id else None
    except EaselError as fault:
        if fault.code is not ErrorCode.NOT_FOUND:
            raise
        record = None
    return _Found(slot, note.revision, record)


async def _replace(request: HttpRequest, service: Service, found: _Found, slot: schemas.Slot) -> None:
    """Change the slot, unless another request of the same caller was faster."""
    if not await service.remember(owner(request), _TOPIC, codec.encode(slot), over=found.revision):
        raise EaselError(ErrorCode.CONFLICT, convert.NOT_NOW)


HANDLERS = (select_device, run, status, image)
