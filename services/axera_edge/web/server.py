"""The Litestar application and uvicorn, inside the process's own loop and signals."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import structlog
import uvicorn
from litestar import Litestar
from litestar.di import Provide

from runtime.process.shutdown import Shutdown
from services.axera_edge.web import generate, sdapi
from services.axera_edge.web.body import MAX_BODY_BYTES, answer_failure
from services.axera_edge.web.desk import Desk

log = structlog.get_logger()

GRACE_S = 30
"""Seconds that requests at the card get to finish."""


def create_app(desk: Desk) -> Litestar:
    """HTTP in front of `desk`."""
    return Litestar(
        route_handlers=[*generate.HANDLERS, *sdapi.HANDLERS],
        dependencies={"desk": Provide(lambda: desk, sync_to_thread=False)},
        exception_handlers={Exception: answer_failure},
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )


class _Server(uvicorn.Server):
    """Leaves the process's signals alone and tells when it listens."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[int], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets)
        for sock in (sock for server in self.servers for sock in server.sockets):
            host, port = sock.getsockname()[:2]
            log.info("listening", host=host, port=port)
            self._on_listening(port)


async def serve_http(
    desk: Desk, host: str, port: int, shutdown: Shutdown, on_listening: Callable[[int], None] = lambda _: None
) -> bool:
    """Serve until `shutdown`; `on_listening` is told the port, once for each address.

    Returns:
        Whether it ever listened.
    """
    config = uvicorn.Config(
        create_app(desk),
        host=host.strip("[]"),
        port=port,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Server(config, on_listening)

    async def end() -> None:
        await shutdown.soft.wait()
        server.should_exit = True
        await shutdown.hard.wait()
        server.force_exit = True

    ending = asyncio.create_task(end())
    try:
        await server.serve()
    except SystemExit:  # uvicorn's word for an address that it cannot have; it has told which
        return False
    finally:
        ending.cancel()
    return server.started
