"""A real nats-server for each test process, a namespace of its own for each test."""

from __future__ import annotations

import faulthandler
import os
import secrets
import sys
from collections.abc import AsyncIterator, Generator, Iterator

import pytest

from runtime.messaging.connection import Bus, BusError
from runtime.messaging.job_client import JobClient
from runtime.messaging.settings import BusSettings
from runtime.messaging.topology import declare
from tests.support.nats_cluster import NatsCluster
from tests.support.nats_container import NatsContainer, start_shared_server
from tests.support.nats_server import NatsServer
from tests.support.systems import start_gateway

__all__ = ["start_gateway"]

TEARDOWN_S = 120


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None]:
    """End a process whose event loop waits for ever for a task that ignores its cancellation.

    pytest-timeout stops the test, but not that wait, which comes after it.
    """
    faulthandler.dump_traceback_later(TEARDOWN_S, exit=True, file=sys.__stderr__)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session", autouse=True)
def _data_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No process that a test starts keeps anything in the home of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer | NatsContainer | NatsCluster]:
    """One server that tests share, or a cluster of three (`make test-cluster`); tests that kill some start their own."""
    folder = tmp_path_factory.mktemp("nats")
    server = NatsCluster(folder).start() if os.environ.get("EASEL_TEST_CLUSTER") else start_shared_server(folder)
    yield server
    server.kill()


@pytest.fixture
def bus_settings(nats_server: NatsServer | NatsContainer | NatsCluster) -> BusSettings:
    """A fresh namespace, with short waits."""
    return settings_for(nats_server)


def settings_for(server: NatsServer | NatsContainer | NatsCluster) -> BusSettings:
    """Settings of a fresh namespace on `server`."""
    return BusSettings(
        url=server.url,
        replicas=server.replicas,
        namespace=f"t{secrets.token_hex(6)}",
        ack_wait_s=2.0,
        max_deliver=3,
        image_bytes=256 << 20,
    )


@pytest.fixture
async def bus(bus_settings: BusSettings) -> AsyncIterator[Bus]:
    """A connection with the namespace's streams declared; they go when the test ends."""
    async with Bus.connect(bus_settings, "test") as connection:
        await declare(connection)
        yield connection
        subjects = connection.subjects
        for name in [value for key, value in vars(subjects).items() if key.endswith("_stream")]:
            try:
                await connection.api(f"STREAM.DELETE.{name}")
            except BusError:
                continue


@pytest.fixture
def jobs(bus: Bus) -> JobClient:
    """The asking side, as a gateway has it."""
    return JobClient(bus, "test-gateway")
