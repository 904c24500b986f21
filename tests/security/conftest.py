"""A gateway that asks for keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.keys import EVERY_SCOPE, create_key
from runtime.messaging.settings import BusSettings
from tests.support.fake_engine import MovableEngine
from tests.support.gateways import GatewayProcess
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker


class Guarded(NamedTuple):
    """The gateway, and the file of its keys."""

    gateway: GatewayProcess
    keys_file: Path


@pytest.fixture
async def guarded(bus_settings: BusSettings, start_gateway: StartGateway, tmp_path: Path) -> AsyncIterator[Guarded]:
    """With one worker, whose models are on offer."""
    keys_file = tmp_path / "keys.json"
    probe = create_key(keys_file, "probe", EVERY_SCOPE)
    async with (
        running_worker(bus_settings, MovableEngine()),
        start_gateway(EASEL_GATEWAY_KEYS_FILE=str(keys_file)) as gateway,
    ):
        await offering(gateway, key=probe)
        yield Guarded(gateway, keys_file)
