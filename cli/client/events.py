"""A job's events over server-sent events (WHATWG HTML, section 9.2), across broken connections."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from cli.client.api import FIRST_PAUSE_S, LONGEST_PAUSE_S, PATIENCE_S, Api, StreamBrokenError
from cli.faults import CliError, ExitCode


class Event(NamedTuple):
    """One dispatched event."""

    name: str
    data: str
    id: str


def parse(chunks: Iterable[bytes]) -> Iterator[Event]:
    """The events in a byte stream; an unfinished one at its end is dropped, as the standard asks."""
    data: list[str] = []
    name, event_id = "", ""
    for line in _lines(chunks):
        if not line:
            if data or name:
                yield Event(name or "message", "\n".join(data), event_id)
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            event_id = value


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines ended by LF or CRLF. Not `str.splitlines`: it also splits at U+2028, which JSON may hold."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")


def follow(
    api: Api,
    job_id: str,
    on_event: Callable[[str, dict[str, Any]], None],
    *,
    patience_s: float = PATIENCE_S,
) -> dict[str, Any]:
    """Report each event once, in order, until the job ended; the data of its `finished` event.

    A broken stream is opened again after the last event seen; any event, a keepalive too, renews the patience.

    Raises:
        CliError: the gateway refused, or stayed away longer than `patience_s`.
    """
    last_id, pause, deadline = "", FIRST_PAUSE_S, time.monotonic() + patience_s
    while True:
        reason = "the stream ended before the job did"
        try:
            with api.stream(f"/job/{job_id}/events", last_id) as chunks:
                for event in parse(chunks):
                    pause, deadline = FIRST_PAUSE_S, time.monotonic() + patience_s
                    if event.name == "keepalive" or (event.id and event.id == last_id):
                        continue
                    last_id = event.id or last_id
                    data: dict[str, Any] = json.loads(event.data) if event.data else {}
                    on_event(event.name, data)
                    if event.name == "finished":
                        return data
        except StreamBrokenError as broken:
            reason = str(broken)
        if time.monotonic() + pause > deadline:
            message = f"lost {api.url} ({reason}); the job goes on: follow it with 'easel jobs watch {job_id}'"
            raise CliError(ExitCode.UNREACHABLE, message)
        time.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_S)
