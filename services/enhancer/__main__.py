"""`python -m services.enhancer`: settings, language model, then prompts until signalled."""

from __future__ import annotations

import os
import sys

import msgspec
import structlog

from contracts.prompts import ENHANCER
from runtime.messaging.connection import Bus
from runtime.messaging.settings import BusSettings
from runtime.process import logging
from runtime.process.settings import SettingsError, load
from runtime.worker.run import run_worker
from runtime.worker.settings import WorkerSettings
from services.enhancer.engines.factory import build_model
from services.enhancer.engines.http_model import HttpModel
from services.enhancer.enhancer import Enhancer
from services.enhancer.handler import EnhanceHandler
from services.enhancer.settings import EnhancerSettings

log = structlog.get_logger()


def build_enhancer(settings: EnhancerSettings) -> Enhancer:
    """As the settings say.

    Raises:
        EaselError: as `build_model`.
    """
    model = build_model(settings)
    rewrites = isinstance(model, HttpModel) if settings.method == "auto" else settings.method == "rewrite"
    return Enhancer(model, rewrites=rewrites, max_waiting=settings.max_waiting, cache_size=settings.cache_size)


def main() -> int:
    """Exit status 1 when it could not work, 2 when a setting is wrong; `run_worker` ends the process otherwise."""
    logging.configure(ENHANCER)
    try:
        settings = load(EnhancerSettings, os.environ)
        worker, bus_settings = load(WorkerSettings, os.environ), load(BusSettings, os.environ)
    except SettingsError as fault:
        log.error("cannot start", fault=str(fault))  # noqa: TRY400  the message says all
        return 2

    def make_handler(bus: Bus, _: str) -> EnhanceHandler:
        return EnhanceHandler(build_enhancer(settings), bus)

    # the pool is what gateways send prompts to, whatever pool this machine's other workers are in
    worker = msgspec.structs.replace(worker, pool=ENHANCER, slots=max(worker.slots, settings.concurrency))
    run_worker(ENHANCER, make_handler, worker, bus_settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
