"""Gateways in the test's own process: without a bus for what needs none, on the real one for the rest."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from litestar import Litestar

from contracts.images import ModelInfo
from gateway.app import create_app
from gateway.lifespan import BusLink
from gateway.service import Service
from gateway.settings import GatewaySettings
from runtime.messaging.settings import BusSettings
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.workers import running_worker

URL = "http://127.0.0.1:8000"
OpenGateway = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


def client_of(app: Litestar, peer: str = "127.0.0.1", **options: Any) -> httpx.AsyncClient:
    """A client whose requests go straight into the application, as from the address `peer`."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(peer, 1))  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url=URL, timeout=30, **options)


def app_without_bus(**settings: Any) -> Litestar:
    """An application whose link is never opened: everything that needs the bus answers `unavailable`."""
    chosen = GatewaySettings(**settings)
    link = BusLink(BusSettings())
    return create_app(chosen, link, Service(link, chosen))


def post_scope(path: str) -> Any:
    """A POST of JSON, as a server hands it to the application."""
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 1),
        "scheme": "http",
        "http_version": "1.1",
    }


@pytest.fixture
async def alone() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway without a bus."""
    async with client_of(app_without_bus()) as http:
        yield http


@pytest.fixture
def open_gateway(bus_settings: BusSettings) -> OpenGateway:
    """Open a gateway on the bus and wait until it is ready; keyword arguments are its settings."""

    @contextlib.asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        chosen = GatewaySettings(**settings)
        link = BusLink(bus_settings)
        app = create_app(chosen, link, Service(link, chosen))
        async with link.open(), client_of(app) as http:

            async def ready() -> bool:
                return (await http.get("/readyz")).is_success

            await eventually(ready)
            yield http

    return start


@pytest.fixture
async def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
async def http(
    bus_settings: BusSettings, engine: FakeEngine, open_gateway: OpenGateway
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway with one worker that draws with `engine`."""
    async with running_worker(bus_settings, engine), open_gateway() as client:
        yield client


def model_info(**changes: Any) -> ModelInfo:
    """A model with limits that tests can run into."""
    fields: dict[str, Any] = {
        "id": "org/model",
        "family": "fake",
        "default_width": 512,
        "default_height": 512,
        "size_multiple": 64,
        "min_size": 256,
        "max_size": 1024,
        "max_pixels": 1024 * 768,
        "default_steps": 20,
        "min_steps": 1,
        "max_steps": 50,
        "default_guidance_scale": 7.5,
        "max_guidance_scale": 20.0,
        "negative_prompt": True,
        "licence": "none",
        "source": "hub/model@abc",
    }
    return ModelInfo(**(fields | changes))
