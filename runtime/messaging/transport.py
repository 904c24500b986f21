"""TCP that notices a dead peer, and says nothing in the clear where TLS is wanted.

nats-py 2.16 waits in `writer.wait_closed()` before it reconnects; when the peer vanished with bytes unsent, the kernel
ends that wait after some 15 minutes. Here the wait is bounded and the transport aborted, and keep-alive probes are on.
It also leaves it to the server whether there is TLS, so that whoever stands between could have `tls://` go unencrypted;
here nothing is sent to an address of `tls://` before the handshake.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import nats.aio.client
from nats.aio.transport import TcpTransport

CLOSE_TIMEOUT_S = 2.0
_PROBES = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 30_000}


class NoTlsError(OSError):
    """A server that was to speak TLS does not offer it."""


class BoundedTcpTransport(TcpTransport):
    """nats-py's transport with a bounded close and TCP keep-alive; for `tls://` it sends nothing unencrypted."""

    _mute = False

    def write(self, payload: bytes) -> None:
        self._check()
        super().write(payload)  # type: ignore[no-untyped-call]

    def writelines(self, payload: Any) -> None:
        self._check()
        super().writelines(payload)  # type: ignore[no-untyped-call]

    def _check(self) -> None:
        if self._mute:
            raise NoTlsError("the server offers no TLS, which tls:// asks for")

    async def connect_tls(self, *args: Any, **kwargs: Any) -> None:
        await super().connect_tls(*args, **kwargs)
        self._mute = False

    async def connect(self, uri: Any, buffer_size: int, connect_timeout: int) -> None:
        await super().connect(uri, buffer_size, connect_timeout)
        self._mute = uri.scheme == "tls"
        writer = self._io_writer
        sock = writer.get_extra_info("socket") if writer else None
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _PROBES.items():
                if hasattr(socket, name):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    async def wait_closed(self) -> None:
        writer = self._io_writer
        if writer is None:
            return
        closing = asyncio.ensure_future(writer.wait_closed())
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await asyncio.shield(closing)
        except TimeoutError:
            closing.cancel()
            writer.transport.abort()
        except OSError:
            pass


def install() -> None:
    """Make every nats-py connection of this process use it; nats-py offers no parameter for its transport."""
    nats.aio.client.TcpTransport = BoundedTcpTransport  # type: ignore[attr-defined]
