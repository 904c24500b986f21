"""`python -m services.diffusion`: settings, engine, then jobs until signalled."""

from __future__ import annotations

import os
import sys

import structlog

from contracts.errors import EaselError
from runtime.messaging.connection import Bus
from runtime.messaging.settings import BusSettings
from runtime.process import logging
from runtime.process.settings import SettingsError, load
from runtime.worker.images.handler import ImageHandler
from runtime.worker.images.output import make_output
from runtime.worker.run import run_worker
from runtime.worker.settings import WorkerSettings
from services.diffusion.engines.factory import build_engine, preloaded
from services.diffusion.safety_checker import diffusers_checker
from services.diffusion.settings import DiffusionSettings

log = structlog.get_logger()


def main() -> int:
    """Exit status 1 when it could not work, 2 when a setting is wrong; `run_worker` ends the process otherwise."""
    logging.configure("diffusion")
    try:
        settings = load(DiffusionSettings, os.environ)
        worker, bus_settings = load(WorkerSettings, os.environ), load(BusSettings, os.environ)
        output = make_output(worker, kinds={"diffusers": diffusers_checker})
        engine, preload = build_engine(settings), preloaded(settings)
    except SettingsError as fault:
        log.error("cannot start", fault=str(fault))  # noqa: TRY400  the message says all
        return 2
    except EaselError as fault:
        log.error("cannot start", fault=fault.message)  # noqa: TRY400  the message says all
        return 1

    def make_handler(bus: Bus, name: str) -> ImageHandler:
        return ImageHandler(
            engine,
            bus,
            name,
            preload=preload,
            output=output,
            idle_unload_s=settings.idle_unload_s,
        )

    run_worker("diffusion", make_handler, worker, bus_settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
