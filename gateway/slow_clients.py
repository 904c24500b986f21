"""uvicorn's HTTP protocol with a deadline for what clients send, and a limit on the size of headers.

uvicorn waits for headers forever and keeps any number of them; a body that no route reads any more is waited for too.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER_BYTES = 64 << 10
_MARGIN_S = 1.0
"""Lets the route that reads a body answer first that it came too slowly."""


class _Guarded(HttpToolsProtocol):
    header_timeout_s: float
    body_timeout_s: float
    _deadline: asyncio.TimerHandle | None = None
    _header_bytes: int | None = 0
    """Received of the headers that are coming; None while none are."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._within(self.header_timeout_s)

    def data_received(self, data: bytes) -> None:
        if self._header_bytes is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        if (self._header_bytes or 0) > MAX_HEADER_BYTES:
            self._end()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = self._header_bytes or 0
        self._within(self.header_timeout_s)

    def on_headers_complete(self) -> None:
        self._header_bytes = None
        self._within(self.body_timeout_s + _MARGIN_S)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._within(None)
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._within(None)
        super().connection_lost(exc)

    def _within(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._end)

    def _end(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()


def guarded(header_timeout_s: float, body_timeout_s: float) -> type[HttpToolsProtocol]:
    """The protocol class for a server: headers within one time, bodies within the other, else the connection ends."""
    times = {"header_timeout_s": header_timeout_s, "body_timeout_s": body_timeout_s}
    return type("Guarded", (_Guarded,), times)
