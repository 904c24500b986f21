"""TCP that notices a dead peer.

nats-py 2.16 waits in `writer.wait_closed()` before it reconnects; when the peer vanished with bytes unsent, the kernel
ends that wait after some 15 minutes. Here the wait is bounded and the transport aborted, and keep-alive probes are on.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import nats.aio.client
from nats.aio.transport import TcpTransport

CLOSE_TIMEOUT_S = 2.0
_PROBES = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 30_000}


class BoundedTcpTransport(TcpTransport):
    """nats-py's transport with a bounded close and TCP keep-alive."""

    async def connect(self, uri: Any, buffer_size: int, connect_timeout: int) -> None:
        await super().connect(uri, buffer_size, connect_timeout)
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
            await asyncio.wait_for(asyncio.shield(closing), CLOSE_TIMEOUT_S)
        except TimeoutError:
            closing.cancel()
            writer.transport.abort()
        except OSError:
            pass


def install() -> None:
    """Make every nats-py connection of this process use it; nats-py offers no parameter for its transport."""
    nats.aio.client.TcpTransport = BoundedTcpTransport  # type: ignore[attr-defined]
