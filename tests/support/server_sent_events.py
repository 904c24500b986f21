"""Reading an event stream as the standard says (HTML, section 9.2), one event at a time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass
class Event:
    """One event that is not a keep-alive."""

    id: str
    name: str
    data: Any


async def read_events(http: httpx.AsyncClient, url: str, *, last_event_id: str = "") -> AsyncIterator[Event]:
    """Every event until the server ends the stream."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    async with http.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for event in events_in(answer):
            yield event


async def events_in(answer: httpx.Response) -> AsyncIterator[Event]:
    """The same of an answer that has begun."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif fields:
            if "data" in fields and fields.get("event") != "keepalive":
                yield Event(fields.get("id", ""), fields.get("event", ""), json.loads(fields["data"]))
            fields = {}
