"""The prompt-assist dialect: better prompts, and pictures as `gateway.api.generations` hands them on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Any

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.response import Stream

from contracts.errors import EaselError
from contracts.prompts import EnhancedPrompt, PromptDraft
from gateway.api.operation import taking
from gateway.api.prompt_assist import convert, schemas
from gateway.auth import HttpRequest, needs, owner
from gateway.body import parse, read_json
from gateway.disconnect import until_gone
from gateway.keys import Scope
from gateway.replies import Answer, json_reply, note_headers
from gateway.service import Drawn, Service
from gateway.sse import HEADERS, server_sent_event, with_keep_alives

_REPLY: Any = schemas.EnhanceReply | schemas.EnhancePreview


@post(
    "/v1/prompts/enhance",
    status_code=200,
    summary="Make a better prompt, and draw nothing",
    tags=["Prompts"],
    operation_id="enhancePrompt",
    opt=needs(Scope.ENHANCE),
    operation_class=taking(schemas.EnhanceRequest),
    responses={200: ResponseSpec(_REPLY, description="The better prompt")},
)
async def enhance(
    request: HttpRequest,
    service: NamedDependency[Service],
    draining: NamedDependency[asyncio.Event],
) -> Answer | Stream:
    body = parse(await read_json(request, service.settings), schemas.EnhanceRequest)
    asked = (body.prompt, body.model, body.style)
    if body.stream:
        drafts = _events(body.prompt, service.prompting.enhance_with_drafts(*asked))
        return Stream(with_keep_alives(drafts, draining), media_type="text/event-stream", headers=HEADERS)
    enhanced = await service.prompting.enhance(*asked)
    headers = note_headers(enhancement=enhanced.source.value)
    if body.dry_run:
        return json_reply(convert.preview(body.prompt, enhanced), headers=headers)
    return json_reply(schemas.EnhanceReply(enhanced_prompt=enhanced.prompt), headers=headers)


async def _events(
    prompt: str, parts: AsyncGenerator[PromptDraft | EnhancedPrompt, None]
) -> AsyncGenerator[bytes, None]:
    """What the language model writes, and at last what came of it or why nothing did."""
    try:
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, PromptDraft):
                    yield server_sent_event("draft", msgspec.json.encode(part), "")
                else:
                    yield server_sent_event("enhanced", msgspec.json.encode(convert.preview(prompt, part)), "")
    except EaselError as fault:
        yield server_sent_event("error", msgspec.json.encode(convert.error(fault)[1]), "")


async def generate(request: HttpRequest, data: bytes, service: Service) -> Answer:
    """Draw, and wait for the pictures."""
    body = parse(data, schemas.GenerationRequest)
    drawn = await service.draw(convert.wanted(body), owner(request), partial(until_gone, request))
    return json_reply(convert.reply(drawn), headers=_notes(drawn))


def _notes(drawn: Drawn) -> dict[str, str]:
    """What this dialect has no fields for."""
    job = drawn.outcome.job
    source = job.enhancement.source if job.enhancement else None
    return note_headers(
        warning="; ".join(drawn.warnings),
        job_id=job.id,
        model=job.request.model,
        enhancement=source.value if source else "",
    )


HANDLERS = (enhance,)
