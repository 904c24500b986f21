"""Routes that two dialects share, `/v1/images/generations` and `/generate`: the body tells them apart, only here."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.response import Stream

from gateway.api import dialects
from gateway.api.axera import routes as axera
from gateway.api.axera import schemas as axera_schemas
from gateway.api.jobs import routes as jobs
from gateway.api.jobs import schemas as jobs_schemas
from gateway.api.openai import routes as openai
from gateway.api.openai import schemas as openai_schemas
from gateway.api.operation import taking
from gateway.api.prompt_assist import routes as prompt_assist
from gateway.api.prompt_assist import schemas as prompt_assist_schemas
from gateway.auth import HttpRequest
from gateway.body import read_json
from gateway.replies import Answer
from gateway.service import Service

_IMAGES: Any = openai_schemas.ImagesReply | prompt_assist_schemas.GenerationReply
_PICTURE: Any = jobs_schemas.GenerateReply | axera_schemas.ModeReply


class _Marks(msgspec.Struct):
    """The fields by which the dialects differ, whatever their values."""

    use_enhancer: Any = msgspec.UNSET
    model: Any = msgspec.UNSET
    mode: Any = msgspec.UNSET


@post(
    "/v1/images/generations",
    status_code=200,
    summary="Draw, and wait for the pictures",
    description="Takes OpenAI's request, or the prompt-assist one: with `use_enhancer` and without `model`.",
    tags=["OpenAI"],
    operation_id="createImage",
    operation_class=taking(openai_schemas.ImagesRequest, prompt_assist_schemas.GenerationRequest),
    responses={200: ResponseSpec(_IMAGES, description="The pictures")},
)
async def create_image(request: HttpRequest, service: NamedDependency[Service]) -> Answer | Stream:
    data = await read_json(request, service.settings)
    if is_prompt_assist(data):
        dialects.choose(request, dialects.PROMPT_ASSIST)
        return await prompt_assist.generate(request, data, service)
    return await openai.generate(request, data, service)


@post(
    "/generate",
    status_code=200,
    summary="Draw, and wait for the picture",
    description="Takes the job routes' request, or the picker's one: with `mode`.",
    tags=["Jobs"],
    operation_id="generate",
    operation_class=taking(jobs_schemas.GenerateRequest, axera_schemas.ModeRequest),
    responses={200: ResponseSpec(_PICTURE, description="The picture")},
)
async def generate(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    data = await read_json(request, service.settings, service.settings.max_upload_bytes)
    if _marks(data).mode is not msgspec.UNSET:
        dialects.choose(request, dialects.AXERA)
        return await axera.generate(request, data, service)
    return await jobs.generate(request, data, service)


def is_prompt_assist(data: bytes) -> bool:
    """Whether the body has `use_enhancer` and no `model`."""
    marks = _marks(data)
    return marks.use_enhancer is not msgspec.UNSET and marks.model is msgspec.UNSET


def _marks(data: bytes) -> _Marks:
    """None in an unreadable body, which is left to the dialect without marks to refuse."""
    try:
        return msgspec.json.decode(data, type=_Marks)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Marks()


HANDLERS = (create_image, generate)
