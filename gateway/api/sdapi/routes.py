"""`/sdapi/v1`: drawing, progress, stopping and options; the lists are in `lists`."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Annotated, Any

from litestar import get, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import QueryParameter

from contracts import codec
from gateway.api.operation import taking
from gateway.api.sdapi import convert, schemas
from gateway.api.sdapi.lists import LISTS, model_named
from gateway.api.sdapi.png_info import read_png_info
from gateway.auth import HttpRequest, owner
from gateway.body import parse, read_json
from gateway.disconnect import until_gone
from gateway.pictures import picture_from_text
from gateway.replies import Answer, json_reply, note_headers
from gateway.resolve import Wanted
from gateway.service import Service

_TAGS = ["SD web UI"]
_CHECKPOINT = "sdapi-checkpoint"


@post(
    "/sdapi/v1/txt2img",
    status_code=200,
    summary="Draw, and wait for the pictures",
    tags=_TAGS,
    operation_id="txt2img",
    operation_class=taking(schemas.Txt2ImgRequest),
    responses={200: ResponseSpec(schemas.ImagesAnswer, description="The pictures")},
)
async def txt2img(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    body = parse(await read_json(request, service.settings), schemas.Txt2ImgRequest)
    return await _draw(request, service, body, convert.wanted(body, await _checkpoint(request, service)))


@post(
    "/sdapi/v1/img2img",
    status_code=200,
    summary="Change a picture, or the part of it that a mask leaves open",
    tags=_TAGS,
    operation_id="img2img",
    operation_class=taking(schemas.Img2ImgRequest),
    responses={200: ResponseSpec(schemas.ImagesAnswer, description="The pictures")},
)
async def img2img(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    body = parse(await read_json(request, service.settings, service.settings.max_upload_bytes), schemas.Img2ImgRequest)
    return await _draw(request, service, body, convert.wanted_edit(body, await _checkpoint(request, service)))


async def _draw(request: HttpRequest, service: Service, body: schemas.Txt2ImgRequest, wanted: Wanted) -> Answer:
    drawn = await service.draw(wanted, owner(request), partial(until_gone, request))
    warning = "; ".join((*drawn.warnings, *convert.notes(body)))
    headers = note_headers(warning=warning, job_id=drawn.outcome.job.id)
    return json_reply(convert.answer(body, drawn), headers=headers)


async def _checkpoint(request: HttpRequest, service: Service) -> str | None:
    """The model that the caller chose, as long as it is on offer."""
    note = await service.recall(owner(request), _CHECKPOINT)
    chosen = codec.decode(note.data, schemas.Checkpoint).name if note.data else None
    return chosen if chosen in service.models() else None


@get(
    "/sdapi/v1/progress",
    summary="How the caller's own drawing is doing",
    tags=_TAGS,
    operation_id="sdProgress",
    responses={200: ResponseSpec(schemas.ProgressAnswer, description="Nothing to do: progress 0 and job_count 0")},
)
async def progress(
    request: HttpRequest,
    service: NamedDependency[Service],
    skip_current_image: Annotated[bool, QueryParameter(description="Without the unfinished picture.")] = False,
) -> Answer:
    records = await service.unfinished(owner(request), convert.DIALECT)
    first = convert.at_work(records)
    history = await service.history(first.job.id) if first is not None and not skip_current_image else []
    ordered = [] if first is None else [first, *(record for record in records if record is not first)]
    return json_reply(convert.progress(ordered, history, time.time()))


@post(
    "/sdapi/v1/interrupt",
    status_code=200,
    summary="End the caller's own drawings, waiting ones too",
    tags=_TAGS,
    operation_id="sdInterrupt",
    responses={200: ResponseSpec(dict[str, str], description="Nothing")},
)
async def interrupt(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    mine = owner(request)
    records = await service.unfinished(mine, convert.DIALECT)
    await asyncio.gather(*(service.cancel(record.job.id, mine) for record in records))
    return json_reply({})


@post(
    "/sdapi/v1/skip",
    status_code=200,
    summary="End the one of the caller's own drawings that is at work",
    tags=_TAGS,
    operation_id="sdSkip",
    responses={200: ResponseSpec(None, description="Nothing")},
)
async def skip(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    mine = owner(request)
    first = convert.at_work(await service.unfinished(mine, convert.DIALECT))
    if first is not None:
        await service.cancel(first.job.id, mine)
    return json_reply(None)


@get(
    "/sdapi/v1/options",
    summary="The model that the caller chose, and what never changes",
    tags=_TAGS,
    operation_id="sdOptions",
    responses={200: ResponseSpec(dict[str, Any], description="Options by name")},
)
async def options(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    offered = service.models()
    name = await _checkpoint(request, service) or model_named(None, offered, service.settings)
    return json_reply(
        {
            "sd_model_checkpoint": name,
            "sd_checkpoint_hash": "",
            "samples_format": "png",
            "sd_vae": "Automatic",
            "CLIP_stop_at_last_layers": 1,
        }
    )


@post(
    "/sdapi/v1/options",
    status_code=200,
    summary="Choose the model for the caller's next drawings; other options are passed over",
    tags=_TAGS,
    operation_id="sdSetOptions",
    operation_class=taking(schemas.OptionsRequest),
    responses={200: ResponseSpec(None, description="Nothing")},
)
async def set_options(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    body = parse(await read_json(request, service.settings), schemas.OptionsRequest)
    if body.sd_model_checkpoint:
        name = model_named(body.sd_model_checkpoint, service.models(), service.settings)
        await service.remember(owner(request), _CHECKPOINT, codec.encode(schemas.Checkpoint(name=name)))
    return json_reply(None)


@post(
    "/sdapi/v1/png-info",
    status_code=200,
    summary="What a PNG says about how it was drawn",
    tags=_TAGS,
    operation_id="sdPngInfo",
    operation_class=taking(schemas.PngInfoRequest),
    responses={200: ResponseSpec(schemas.PngInfoAnswer, description="Its texts")},
)
async def png_info(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    body = parse(await read_json(request, service.settings, service.settings.max_upload_bytes), schemas.PngInfoRequest)
    return json_reply(read_png_info(picture_from_text(body.image, "image")))


HANDLERS = (txt2img, img2img, progress, interrupt, skip, options, set_options, png_info, *LISTS)
