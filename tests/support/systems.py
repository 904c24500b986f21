"""Whole systems for tests: gateways as processes, workers in the test's own hands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import pytest

from runtime.messaging.settings import BusSettings
from tests.support.gateways import GatewayProcess

StartGateway = Callable[..., AbstractAsyncContextManager[GatewayProcess]]


@pytest.fixture
def start_gateway(bus_settings: BusSettings, tmp_path: Path) -> StartGateway:
    """Start a gateway and wait until it answers; keyword arguments are environment variables."""
    count = iter(range(100))

    @contextlib.asynccontextmanager
    async def start(**settings: str) -> AsyncIterator[GatewayProcess]:
        with GatewayProcess(bus_settings, tmp_path / f"gateway{next(count)}.log", **settings) as gateway:
            await answering(gateway)
            yield gateway

    return start


async def answering(gateway: GatewayProcess) -> None:
    """Return when the gateway listens."""
    async with asyncio.timeout(30), httpx.AsyncClient() as http:
        while True:
            assert gateway.process.poll() is None, gateway.log_text()
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(f"{gateway.url}/livez")).is_success:
                    return
            await asyncio.sleep(0.02)


async def offering(gateway: GatewayProcess, model: str = "fake", key: str = "") -> None:
    """Return when the gateway has heard of a worker with the model."""
    async with asyncio.timeout(30), httpx.AsyncClient() as http:
        while True:
            headers = {"x-api-key": key} if key else {}
            with contextlib.suppress(httpx.TransportError):  # it may be on its way up again
                models = (await http.get(f"{gateway.url}/v1/models", headers=headers)).json().get("data", [])
                if model in [offered["id"] for offered in models]:
                    return
            await asyncio.sleep(0.02)
