"""OpenAI's routes: generations (reached through `gateway.api.generations`), edits, variations and models."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from litestar import get, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath
from litestar.response import Stream

from contracts.errors import EaselError, ErrorCode
from contracts.jobs import Job
from gateway.api.openai import convert, schemas, streaming
from gateway.api.operation import taking
from gateway.auth import HttpRequest, owner
from gateway.body import field_names, is_json, parse, parse_form, read_form, read_json
from gateway.disconnect import until_gone
from gateway.links import picture_url
from gateway.once import once_of
from gateway.replies import Answer, json_reply, note_headers
from gateway.resolve import Wanted
from gateway.service import Service


async def generate(request: HttpRequest, data: bytes, service: Service) -> Answer | Stream:
    """Draw; answer with the pictures, or with a stream of events."""
    body = parse(data, schemas.ImagesRequest)
    asked = _Asked(streaming.GENERATION, body, convert.wanted(body), field_names(data))
    return await _answer(request, asked, service)


@post(
    "/v1/images/edits",
    status_code=200,
    summary="Change a picture, or the part of it that a mask leaves open",
    tags=["OpenAI"],
    operation_id="createImageEdit",
    operation_class=taking(schemas.EditsRequest, form=("image", "mask")),
    responses={200: ResponseSpec(schemas.ImagesReply, description="The pictures")},
)
async def edit_image(request: HttpRequest, service: NamedDependency[Service]) -> Answer | Stream:
    return await _edit(request, schemas.EditsRequest, service)


@post(
    "/v1/images/variations",
    status_code=200,
    summary="Draw a picture like another",
    tags=["OpenAI"],
    operation_id="createImageVariation",
    operation_class=taking(schemas.VariationRequest, form=("image",)),
    responses={200: ResponseSpec(schemas.ImagesReply, description="The pictures")},
)
async def vary_image(request: HttpRequest, service: NamedDependency[Service]) -> Answer | Stream:
    return await _edit(request, schemas.VariationRequest, service)


async def _edit(request: HttpRequest, kind: type[schemas.EditsRequest], service: Service) -> Answer | Stream:
    if is_json(request):
        data = await read_json(request, service.settings, service.settings.max_upload_bytes)
        body, named = parse(data, kind), field_names(data)
        count, wanted = len(body.images or ()), convert.wanted_edit(body, None, None)
    else:
        form = await read_form(request, service.settings)
        body, named = parse_form(form, kind), {*form.fields, *form.files} - {"image"}
        images, masks = form.files.get("image", []), form.files.get("mask", [])
        count = len(images)
        wanted = convert.wanted_edit(body, next(iter(images), None), next(iter(masks), None))
    asked = _Asked(streaming.EDIT, body, wanted, named, count)
    return await _answer(request, asked, service)


class _Asked(NamedTuple):
    kind: str
    body: schemas.ImagesRequest
    wanted: Wanted
    named: set[str]
    """Fields that the client gave."""
    images: int = 1


async def _answer(request: HttpRequest, asked: _Asked, service: Service) -> Answer | Stream:
    once, warnings = once_of(request.headers), convert.notes(asked.body, asked.images)
    ignored = ", ".join(sorted(convert.ignored(asked.body, asked.named)))[:500]
    if asked.body.stream:
        submitted, watched = await service.watch(asked.wanted, owner(request), once)
        headers = _notes(ignored, (*submitted.warnings, *warnings), submitted.job)
        return streaming.stream(asked.kind, submitted.job, watched, headers)
    drawn = await service.draw(asked.wanted, owner(request), partial(until_gone, request), once)
    job = drawn.outcome.job
    link = partial(picture_url, request, service.settings, job.id) if convert.wants_links(asked.body) else None
    return json_reply(convert.reply(drawn, link), headers=_notes(ignored, (*drawn.warnings, *warnings), job))


def _notes(ignored: str, warnings: tuple[str, ...], job: Job) -> dict[str, str]:
    source = job.enhancement.source if job.enhancement else None
    return note_headers(
        ignored=ignored,
        warning="; ".join(warnings),
        job_id=job.id,
        model=job.request.model,
        enhancement=source.value if source else "",
    )


@get(
    "/v1/models",
    summary="The models that live workers offer",
    tags=["OpenAI"],
    operation_id="listModels",
    responses={200: ResponseSpec(schemas.ModelList, description="Models")},
)
async def list_models(service: NamedDependency[Service]) -> Answer:
    return json_reply(schemas.ModelList(data=[convert.model(*found) for found in service.models().values()]))


@get(
    "/v1/models/{model_id:path}",
    summary="One model; a slash in its id may be percent-encoded",
    tags=["OpenAI"],
    operation_id="getModel",
    responses={200: ResponseSpec(schemas.Model, description="The model")},
)
async def get_model(model_id: FromPath[str], service: NamedDependency[Service]) -> Answer:
    name = model_id.removeprefix("/")
    offered = service.models()
    if name not in offered:
        have = ", ".join(offered) or "none"
        raise EaselError(
            ErrorCode.MODEL_NOT_FOUND, f"no worker offers the model {name!r}; there are: {have}", param="model"
        )
    return json_reply(convert.model(*offered[name]))


HANDLERS = (edit_image, vary_image, list_models, get_model)
