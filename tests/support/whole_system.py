"""A gateway and a worker as processes of their own, ready to draw; for programs that come from outside."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx

from gateway.keys import create_key
from tests.support.enhancers import EnhancerProcess
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
    loras: str = "",
    keys: bool = False,
    module: str = "tests.support.fake_worker",
    language_model: str = "",
) -> Iterator[System]:
    """Have one while the block runs.

    `step_s` is the time of a fake step, `loras` the names of fake LoRAs, `module` what draws; with the address of a `language_model` there is an
    enhancer too.
    """
    from tests.conftest import settings_for

    key = create_key(folder / "keys.json", "test") if keys else ""
    own = {"EASEL_GATEWAY_KEYS_FILE": str(folder / "keys.json")} if keys else {}
    settings, log = settings_for(server), folder / "gateway.log"
    with contextlib.ExitStack() as stack:
        log_of = {name: folder / f"{name}.log" for name in ("worker", "enhancer")}
        worker = WorkerProcess(settings, "worker", step_s=step_s, loras=loras, log=str(log_of["worker"]), module=module)
        processes: list[WorkerProcess | EnhancerProcess] = [stack.enter_context(worker)]
        if language_model:
            enhancer = EnhancerProcess(settings, "enhancer", language_model, log_of["enhancer"])
            processes.append(stack.enter_context(enhancer))
        gateway = stack.enter_context(GatewayProcess(settings, log, **own))
        for process in processes:
            wait_for_worker(gateway, process, log_of[process.name], key)
        yield System(gateway.url, key, log, gateway.grpc_port)


def wait_for_worker(gateway: GatewayProcess, worker: WorkerProcess | EnhancerProcess, log: Path, key: str) -> None:
    """Return when the gateway has heard of it."""
    deadline = time.monotonic() + READY_S
    while True:
        assert gateway.process.poll() is None, gateway.log_text()
        assert worker.process.poll() is None, log.read_text()
        with contextlib.suppress(httpx.TransportError):
            listed = httpx.get(f"{gateway.url}/workers", headers={"x-api-key": key}).json().get("workers", ())
            if worker.name in [found["id"] for found in listed]:
                return
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
