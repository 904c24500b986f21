"""A worker process with the fake engine: `python -m tests.support.fake_worker`, step time in FAKE_STEP_S, names in FAKE_LORAS."""

from __future__ import annotations

import os

from runtime.messaging.connection import Bus
from runtime.messaging.settings import BusSettings
from runtime.process.logging import configure
from runtime.process.settings import load
from runtime.worker.images.handler import ImageHandler
from runtime.worker.images.output import make_output
from runtime.worker.run import run_worker
from runtime.worker.settings import WorkerSettings
from tests.support.fake_engine import FakeEngine


def main() -> None:
    configure("diffusion")
    worker_settings = load(WorkerSettings)
    output = make_output(worker_settings, {"EASEL_PROVENANCE": "off", **os.environ})
    loras = tuple(filter(None, os.environ.get("FAKE_LORAS", "").split(",")))
    engine = FakeEngine(step_s=float(os.environ.get("FAKE_STEP_S", "0")), loras=loras)

    def make(bus: Bus, worker: str) -> ImageHandler:
        return ImageHandler(engine, bus, worker, output=output)

    run_worker("diffusion", make, worker_settings, load(BusSettings))


if __name__ == "__main__":
    main()
