"""Noticing that a client went away while its answer is made."""

from __future__ import annotations

from gateway.auth import HttpRequest


async def until_gone(request: HttpRequest) -> None:
    """Return when the client has closed the connection; only after the body was read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
