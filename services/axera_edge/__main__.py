"""`python -m services.axera_edge`, `pi_axera_sd_generator`: settings, engine, then serve until signalled."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog
import uvloop

from contracts.errors import EaselError
from runtime.messaging.settings import BusSettings
from runtime.process import logging, telemetry
from runtime.process.settings import SettingsError, load
from runtime.worker.images.output import make_output
from runtime.worker.run import observe
from runtime.worker.settings import WorkerSettings
from services.axera_edge import doctor
from services.axera_edge.arguments import parse_arguments
from services.axera_edge.description import ModelFiles, Paths, find_files
from services.axera_edge.engine import EdgeEngine
from services.axera_edge.process import EdgeProcess
from services.axera_edge.sessions.choose import choose_sessions
from services.axera_edge.settings import EdgeSettings

log = structlog.get_logger()


def main(words: Sequence[str] | None = None) -> int:
    """Exit status 0 after a signal, 1 when it could not work, 2 when a setting is wrong."""
    verb, given = parse_arguments(words)
    logging.configure("axera_edge")
    try:
        settings = load(EdgeSettings, os.environ, **given)
        worker, bus_settings = load(WorkerSettings, os.environ), load(BusSettings, os.environ)
        output = make_output(worker)
    except SettingsError as fault:
        log.error("cannot start", fault=str(fault))  # noqa: TRY400  the message says all
        return 2
    if verb == "doctor":
        return doctor.report(doctor.examine(settings), sys.stdout)
    observe("axera_edge")
    try:
        files = find_model(settings)
        engine = EdgeEngine(files, choose_sessions(settings, files))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            worked = runner.run(EdgeProcess(engine, settings, worker, bus_settings, output).serve())
    except EaselError as fault:
        log.error("cannot work", fault=fault.message)  # noqa: TRY400  the message says all
        worked = False
    telemetry.flush()
    sys.stdout.flush()
    os._exit(0 if worked else 1)  # a card that never answers cannot hold the process back


def find_model(settings: EdgeSettings) -> ModelFiles:
    """The files that the settings name.

    Raises:
        EaselError: some are missing.
    """
    paths = Paths(
        text_encoder=settings.text_encoder,
        unet=settings.unet,
        vae_decoder=settings.vae_decoder,
        vae_encoder=settings.vae_encoder,
        time_table=settings.time_table,
    )
    return find_files(Path(settings.model_dir), paths)


if __name__ == "__main__":
    sys.exit(main())
