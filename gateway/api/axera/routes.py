"""`POST /generate` with `mode`, reached through `gateway.api.generate`."""

from __future__ import annotations

from functools import partial

from gateway.api.axera import convert, schemas
from gateway.auth import HttpRequest, owner
from gateway.body import parse
from gateway.disconnect import until_gone
from gateway.once import once_of
from gateway.replies import Answer, json_reply, note_headers
from gateway.service import Service


async def generate(request: HttpRequest, data: bytes, service: Service) -> Answer:
    """Draw, and wait for the pictures."""
    body = parse(data, schemas.ModeRequest)
    gone = partial(until_gone, request)
    drawn = await service.draw(convert.wanted(body), owner(request), gone, once_of(request.headers))
    history = await service.history(drawn.outcome.job.id)
    return json_reply(convert.reply(drawn, history), headers=note_headers(warning="; ".join(drawn.warnings)))
