"""A gateway and a worker as processes of their own, ready to draw; for programs that come from outside."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx

from gateway.keys import create_key
from tests.support.gateways import GatewayProcess
from tests.support.nats_server import NatsServer
from tests.support.workers import WorkerProcess

READY_S = 60


class System(NamedTuple):
    """Where a gateway is, and a key for it; "" where it asks for none."""

    url: str
    key: str
    log: Path
    grpc_port: int


@contextlib.contextmanager
def whole_system(
    server: NatsServer,
    folder: Path,
    *,
    step_s: float = 0.0,
    keys: bool = False,
    module: str = "tests.support.fake_worker",
) -> Iterator[System]:
    """Have one while the block runs; `step_s` is the time of a fake step, `module` what draws."""
    from tests.conftest import settings_for

    key = create_key(folder / "keys.json", "test") if keys else ""
    own = {"EASEL_GATEWAY_KEYS_FILE": str(folder / "keys.json")} if keys else {}
    settings, log = settings_for(server), folder / "gateway.log"
    with (
        WorkerProcess(settings, "whole-worker", step_s=step_s, log=str(folder / "worker.log"), module=module) as worker,
        GatewayProcess(settings, log, **own) as gateway,
    ):
        wait_for_models(gateway, worker, folder / "worker.log", key)
        yield System(gateway.url, key, log, gateway.grpc_port)


def wait_for_models(gateway: GatewayProcess, worker: WorkerProcess, log: Path, key: str) -> None:
    """Return when the worker's model is on offer."""
    deadline = time.monotonic() + READY_S
    while True:
        assert gateway.process.poll() is None, gateway.log_text()
        assert worker.process.poll() is None, log.read_text()
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{gateway.url}/v1/models", headers={"x-api-key": key}).json().get("data"):
                return
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
