"""`POST /v1/chat/images`: a chat message in, a job that draws out, if the message asks for a picture."""

from __future__ import annotations

import re
import secrets
from typing import Annotated, NamedTuple

from litestar import post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import QueryParameter

from contracts import codec
from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage
from contracts.jobs import Job, JobState
from contracts.prompts import ImageIntent
from gateway.api.chat import convert, schemas
from gateway.api.chat.intent import Intent, read
from gateway.api.operation import taking
from gateway.auth import HttpRequest, owner
from gateway.body import parse, read_json
from gateway.once import once_of
from gateway.replies import Answer, json_reply, note_headers
from gateway.service import Service

_CONVERSATION = re.compile(r"[0-9a-f]{32}")


class _Shown(NamedTuple):
    """The picture that the conversation shows."""

    job_id: str
    request: GenerateImage


@post(
    "/v1/chat/images",
    status_code=200,
    summary="Whether a chat message asks for a picture, and the job that draws it",
    description="Explicit forms (`/imagine`, `action`, 'make it …' and 'again' after a picture), then rules, then the "
    "language model. With `dry_run=1` nothing is drawn.",
    tags=["Prompts"],
    operation_id="chatImage",
    operation_class=taking(schemas.ChatImageRequest),
    responses={200: ResponseSpec(schemas.ChatImageReply, description="What it wants, and the job")},
)
async def chat_image(
    request: HttpRequest,
    service: NamedDependency[Service],
    dry_run: Annotated[bool, QueryParameter(description="Tell what the message wants, and draw nothing.")] = False,
) -> Answer:
    body = parse(await read_json(request, service.settings), schemas.ChatImageRequest)
    message, conversation = convert.message_of(body), _conversation(body)
    shown = await _shown(request, service, body, conversation)
    previous = shown.request.prompt if shown else None
    intent = await read(message, body.action, previous, service.prompting.read_intent)
    if intent.reading.intent is ImageIntent.NONE or dry_run:
        return json_reply(convert.reply(intent, None, conversation))
    if not convert.confirmed(body, intent):
        return json_reply(convert.reply(intent, None, conversation, asks=True))
    job, warnings = await _drawn(request, service, body, intent, shown)
    remembered = codec.encode(schemas.Conversation(job.id))
    await service.remember(owner(request), _topic(conversation), remembered)
    headers = note_headers(warning="; ".join(warnings))
    return json_reply(convert.reply(intent, job, conversation), headers=headers)


async def _drawn(
    request: HttpRequest,
    service: Service,
    body: schemas.ChatImageRequest,
    intent: Intent,
    shown: _Shown | None,
) -> tuple[Job, tuple[str, ...]]:
    """The job that does what the message wants."""
    who, once = owner(request), once_of(request.headers)
    wish, change = intent.reading
    if wish is ImageIntent.GENERATE:
        return await service.submit(convert.wanted(body, change), who, once)
    if shown is None:
        message = "there is no picture yet that this could be about: send job_id or conversation_id"
        raise EaselError(ErrorCode.INVALID_REQUEST, message, param="job_id")
    if wish is ImageIntent.RETRY:
        return await service.retry(shown.job_id, who, once)
    picture = await _picture(request, service, shown)
    return await service.submit(convert.changed(body, change, shown.request, picture), who, once)


async def _picture(request: HttpRequest, service: Service, shown: _Shown) -> bytes | None:
    """The picture to change, where it is there and its model takes one."""
    offered = service.models().get(shown.request.model)
    record = await service.job(shown.job_id, owner(request))
    if offered is None or not offered[0].img2img or record.state is not JobState.SUCCEEDED or record.outcome is None:
        return None
    return (await service.picture(record.outcome, 0)).data


async def _shown(
    request: HttpRequest, service: Service, body: schemas.ChatImageRequest, conversation: str
) -> _Shown | None:
    """As the request says, as the conversation links it, or as it is remembered."""
    if body.job_id is not None:
        return _Shown(body.job_id, (await service.job(body.job_id, owner(request))).job.request)
    job_id = convert.linked_job(body)
    if not job_id and body.conversation_id:
        note = await service.recall(owner(request), _topic(conversation))
        job_id = codec.decode(note.data, schemas.Conversation).job_id if note.data else ""
    if not job_id:
        return None
    try:
        return _Shown(job_id, (await service.job(job_id, owner(request))).job.request)
    except EaselError as fault:
        if fault.code is ErrorCode.NOT_FOUND:  # no longer kept, or somebody else's
            return None
        raise


def _conversation(body: schemas.ChatImageRequest) -> str:
    if not body.conversation_id:
        return secrets.token_hex(16)
    if not _CONVERSATION.fullmatch(body.conversation_id):
        message = "conversation_id is not one of ours: leave it out, and use what the answer says"
        raise EaselError(ErrorCode.INVALID_REQUEST, message, param="conversation_id")
    return body.conversation_id


def _topic(conversation: str) -> str:
    return f"chat-{conversation}"


HANDLERS = (chat_image,)
