"""A bus that cannot keep anything, because it may not or because its disk is full, takes no job and loses none."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from contracts.errors import EaselError
from contracts.jobs import JobState
from runtime.messaging.connection import Bus, BusError
from runtime.messaging.job_client import JobClient
from runtime.messaging.topology import declare, declare_pool
from tests.conftest import settings_for
from tests.support import builders
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import GatewayProcess
from tests.support.nats_server import NatsServer, binary
from tests.support.workers import running_worker


@contextlib.asynccontextmanager
async def _server_that_keeps_nothing(port: int) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        binary(), "-a", "127.0.0.1", "-p", str(port), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


async def test_without_jetstream_nothing_is_accepted_and_with_it_all_goes_on(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats").start()
    server.kill()
    with GatewayProcess(settings_for(server), tmp_path / "gateway.log") as gateway:
        async with httpx.AsyncClient(timeout=60) as http:
            async with _server_that_keeps_nothing(server.port):
                await _answers(http, f"{gateway.url}/readyz", httpx.codes.SERVICE_UNAVAILABLE)
                refused = await http.post(f"{gateway.url}/generate/async", json={"prompt": "a fox"})
                assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
                assert (await http.get(f"{gateway.url}/livez")).is_success
            server.start()
            try:
                await _answers(http, f"{gateway.url}/startupz", httpx.codes.OK)
            finally:
                server.kill()


async def _answers(http: httpx.AsyncClient, url: str, wanted: int) -> None:
    async def look() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return (await http.get(url)).status_code == wanted
        return False

    await eventually(look)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """16 MB that are a file system of their own; skips the test where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "easel-test", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a file system: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_refuses_jobs_and_keeps_those_it_accepted(small_disk: Path) -> None:
    server = NatsServer(small_disk / "nats").start()
    settings = settings_for(server)
    accepted = []
    try:
        async with Bus.connect(settings, "test") as bus:
            await declare(bus)
            await declare_pool(bus, "fake")
            jobs = JobClient(bus, "test")
            while True:
                job = builders.job(prompt="x" * 3000)
                try:
                    await jobs.submit(job)
                except (EaselError, BusError):
                    break
                accepted.append(job)
                if len(accepted) == 20:
                    _fill(small_disk / "ballast")
        assert len(accepted) >= 20
        (small_disk / "ballast").unlink()
        server.kill()  # whoever frees the disk starts the server again: it gives up keeping things until then
        server.start()
        async with running_worker(settings, FakeEngine()), Bus.connect(settings, "test") as bus:
            jobs = JobClient(bus, "test")
            for job in accepted:

                async def ended(job_id: str = job.id) -> bool:
                    record = await jobs.record(job_id)
                    assert record is not None, f"{job_id} is lost"
                    return record.state is JobState.SUCCEEDED

                await eventually(ended)
    finally:
        server.kill()


def _fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
