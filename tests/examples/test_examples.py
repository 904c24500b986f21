"""Every file in examples/ does what its first line says, against a running system."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from runtime.messaging.settings import BusSettings
from tests.support.fake_engine import FakeEngine
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

EXAMPLES = sorted(path for path in (Path(__file__).parents[2] / "examples").iterdir() if path.suffix in {".py", ".sh"})


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
async def test_an_example_draws_its_picture(
    example: Path, start_gateway: StartGateway, bus_settings: BusSettings, tmp_path: Path
) -> None:
    """Run as a user would, with a prompt and a file."""
    picture = tmp_path / "picture.png"
    interpreter = sys.executable if example.suffix == ".py" else "sh"
    async with start_gateway() as gateway, running_worker(bus_settings, FakeEngine()):
        await offering(gateway)
        process = await asyncio.create_subprocess_exec(
            interpreter,
            str(example),
            "a red fox in the snow",
            str(picture),
            env=os.environ | {"EASEL_URL": gateway.url, "EASEL_GRPC": f"127.0.0.1:{gateway.grpc_port}"},
        )
        assert await process.wait() == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
