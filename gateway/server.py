"""uvicorn inside our own event loop, ended by our own signals, so that other servers can share both."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterator
from typing import Any

import structlog
import uvicorn
from litestar.types import ASGIApp

from gateway.listening import CannotListenError, authority
from gateway.settings import GatewaySettings
from gateway.slow_clients import guarded
from runtime.process.shutdown import Shutdown

log = structlog.get_logger()

KEEP_ALIVE_S = 75
"""Longer than clients and proxies keep idle connections: they close first, and no request meets a closing one."""


class _Server(uvicorn.Server):
    """Leaves the process's signals alone and says where it listens."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[Any] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit as end:  # so uvicorn gives up; the rest of the gateway is to be closed
            address = authority(self.config.host, self.config.port)
            raise CannotListenError("HTTP", address, "EASEL_GATEWAY_PORT") from end.__context__
        for server in self.servers:
            for sock in server.sockets:
                host, port = sock.getsockname()[:2]
                log.info("listening", host=host, port=port, tls=self.config.is_ssl)


async def serve_http(app: ASGIApp, settings: GatewaySettings, shutdown: Shutdown) -> bool:
    """Serve until `shutdown`: at the first signal accept no more, let requests finish, end; at the second end at once.

    Returns:
        Whether it ever listened.

    Raises:
        CannotListenError
    """
    config = uvicorn.Config(
        app,
        host=settings.host.strip("[]"),
        port=settings.port,
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
        http=guarded(settings.header_timeout_s, settings.body_timeout_s),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings.soft_stop_s),
    )
    server = _Server(config)

    async def end() -> None:
        await shutdown.soft.wait()
        server.should_exit = True
        await shutdown.hard.wait()
        server.force_exit = True

    ending = asyncio.create_task(end())
    try:
        await server.serve()
    finally:
        ending.cancel()
    return server.started
