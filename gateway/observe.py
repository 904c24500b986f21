"""The request id on every answer, and one log line for each request. Neither prompts nor keys appear in it."""

from __future__ import annotations

import asyncio
import re
import secrets
import time

import structlog
from litestar.types import Message, Scope

from gateway.metrics import HTTP
from gateway.notes import notes_of

log = structlog.get_logger()

_ID = "easel.request_id"
_STATUS = "easel.status"
BEGAN = "easel.began"
"""Key in the scope: `time.perf_counter()` when the guard passed the request on; absent for what never got there."""
_ACCEPTABLE = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SERVER_FAULT = 500
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Others are counted as one: a client may invent as many as it likes."""
_QUIET = ("/livez", "/readyz", "/startupz", "/health", "/metrics")


def request_id(scope: Scope) -> str:
    """The id that the client or a proxy gave, or a new one; the same for the whole request."""
    notes = notes_of(scope)
    if _ID not in notes:
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
        notes[_ID] = given.decode() if _ACCEPTABLE.fullmatch(given) else secrets.token_hex(8)
    found: str = notes[_ID]
    return found


async def on_send(message: Message, scope: Scope) -> None:
    """Litestar's `before_send`: complete the headers, log when they leave, measure when all has left."""
    # MCP's answers are Starlette's, which leaves more_body out at the end
    if message["type"] == "http.response.body" and not message.get("more_body"):
        _measure(scope)
    if message["type"] != "http.response.start":
        return
    notes = notes_of(scope)
    notes[_STATUS] = message["status"]
    own = [(b"x-request-id", request_id(scope).encode()), (b"x-content-type-options", b"nosniff")]
    message["headers"] = [*message["headers"], *own]
    if scope["path"] not in _QUIET:
        asyncio.get_running_loop().call_soon(_tell, scope)  # when this has left: no client waits for a log


def _tell(scope: Scope) -> None:
    notes = notes_of(scope)
    log.info(
        "request",
        method=scope.get("method"),
        path=scope["path"],
        status=notes[_STATUS],
        ms=round((time.perf_counter() - notes.get(BEGAN, time.perf_counter())) * 1000, 1),
        request_id=request_id(scope),
    )


def _measure(scope: Scope) -> None:
    notes = notes_of(scope)
    status = notes.get(_STATUS, 0)
    error = str(status) if status >= _SERVER_FAULT else ""
    seconds = time.perf_counter() - notes.get(BEGAN, time.perf_counter())
    method = notes["method"] if notes["method"] in _METHODS else "_OTHER"
    HTTP.labels(notes.get("path_template", ""), method, str(status), error).observe(seconds)
