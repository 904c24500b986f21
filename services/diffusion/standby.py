"""`python -m services.diffusion.standby`: keeps models on offer whose workers are started when there is work.

Gateways take jobs for models that somebody offers. This process offers them in the name of a pool that may have no
worker at the moment, draws nothing, and has the pool's queue declared, in which an autoscaler finds the first job.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import socket
import sys
import time

import msgspec
import structlog

from contracts.errors import EaselError
from contracts.images import ModelInfo
from contracts.subjects import subject_token
from contracts.workers import PRESENCE_INTERVAL_S, WorkerPresence
from runtime.messaging.connection import Bus, BusError
from runtime.messaging.presence import announce
from runtime.messaging.settings import BusSettings
from runtime.messaging.topology import declare, declare_pool
from runtime.process import logging
from runtime.process.settings import SettingsError, load
from runtime.process.shutdown import Shutdown
from runtime.process.waiting import until
from runtime.worker.run import pool_of
from runtime.worker.settings import WorkerSettings
from services.diffusion.catalogue import Catalogue
from services.diffusion.loras.lora_folder import LoraFolder, lora_dir
from services.diffusion.settings import DiffusionSettings

log = structlog.get_logger()

ON_DEMAND = "on demand"
"""What stands in the place of a device's name."""


async def stand_by(
    models: tuple[ModelInfo, ...], worker: WorkerSettings, settings: BusSettings, shutdown: Shutdown
) -> None:
    """Offer `models` until `shutdown`.

    Raises:
        EaselError, BusError: the bus does not answer, or closes the connection for good.
    """
    pool = worker.pool or pool_of(models)
    presence = WorkerPresence(
        id=worker.name or subject_token(f"standby-{pool}-{os.urandom(3).hex()}"),
        service="diffusion",
        pool=pool,
        models=models,
        device=ON_DEMAND,
        slots=0,
        free_slots=0,
        host=socket.gethostname(),
        version=importlib.metadata.version("easel"),
        started_at=time.time(),
        sent_at=time.time(),
    )
    async with Bus.connect(settings, presence.id) as bus:
        if settings.declares:
            await declare(bus)
            await declare_pool(bus, pool)
        log.info("standing by", pool=pool, models=[model.id for model in models])
        while not shutdown.soft.is_set() and not bus.closed.is_set():
            await announce(bus, msgspec.structs.replace(presence, sent_at=time.time()))
            await until(shutdown.soft, PRESENCE_INTERVAL_S)
        await announce(bus, msgspec.structs.replace(presence, stopping=True))


def main() -> int:
    """Exit status 0 after a signal, 1 when the bus is away, 2 when a setting is wrong."""
    logging.configure("standby")
    try:
        settings = load(DiffusionSettings, os.environ)
        worker, bus_settings = load(WorkerSettings, os.environ), load(BusSettings, os.environ)
        asyncio.run(_serve(_models(settings), worker, bus_settings))
    except SettingsError as fault:
        log.error("cannot start", fault=str(fault))  # noqa: TRY400  the message says all
        return 2
    except (EaselError, BusError) as fault:
        log.error("cannot stand by", fault=str(fault))  # noqa: TRY400  the message says all
        return 1
    return 0


def _models(settings: DiffusionSettings) -> tuple[ModelInfo, ...]:
    """As their workers will announce them."""
    catalogue = Catalogue(settings.models_file)
    loras = LoraFolder(lora_dir(settings.lora_dir, os.environ))
    models = tuple(loras.offered(catalogue.find(name)) for name in settings.models)
    if settings.engine != "openvino":
        return models
    return tuple(msgspec.structs.replace(model, caches=(), cache="") for model in models)


async def _serve(models: tuple[ModelInfo, ...], worker: WorkerSettings, bus_settings: BusSettings) -> None:
    shutdown = Shutdown(worker.soft_stop_s)
    shutdown.install()
    await stand_by(models, worker, bus_settings, shutdown)


if __name__ == "__main__":
    sys.exit(main())
