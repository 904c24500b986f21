"""OpenAI's image events: pictures of the unfinished work, then the finished (openai-openapi, `ImageGenStreamEvent`).

Events carry no `id:`; keep-alives are comments. openai-python chokes on the two together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing

import msgspec
from litestar.response import Stream

from contracts.errors import EaselError
from contracts.events import Progress
from contracts.jobs import Job
from gateway.api.openai import convert, schemas
from gateway.service import Drawn, Watched
from gateway.sse import COMMENT, HEADERS, with_keep_alives

GENERATION = "image_generation"
EDIT = "image_edit"


def stream(kind: str, job: Job, watched: Watched, headers: Mapping[str, str]) -> Stream:
    """The rest of `Service.watch` as server-sent events."""

    async def body() -> AsyncIterator[bytes]:
        # a gateway that stops lets its streams come to their end, as it does waiting requests
        events, never = _events(kind, job, watched), asyncio.Event()
        async with aclosing(watched), aclosing(with_keep_alives(events, never, keep_alive=COMMENT)) as chunks:
            async for chunk in chunks:
                yield chunk

    return Stream(body(), media_type="text/event-stream", headers={**HEADERS, **headers})


async def _events(kind: str, job: Job, watched: Watched) -> AsyncGenerator[bytes, None]:
    shown = 0
    try:
        async for happened in watched:
            match happened:
                case Progress(previews=previews) if previews:
                    yield _event(convert.partial(kind, job, happened, shown))
                    shown += 1
                case Drawn():
                    for picture in convert.completed(kind, happened):
                        yield _event(picture)
    except EaselError as fault:
        _, reply = convert.error(fault)
        yield b"event: error\ndata: %s\n\n" % msgspec.json.encode(reply)


def _event(picture: schemas.StreamedImage) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (picture.type.encode(), msgspec.json.encode(picture))
