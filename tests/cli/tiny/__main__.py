"""`easel up --json` with small services: `python -m tests.cli.tiny DATA_DIR WORKERS PORT`.

TINY_SERVICES=fake runs the real gateway and workers that draw noise; otherwise nothing draws.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cli.commands.up import run
from cli.faults import CliError
from cli.launcher import services
from cli.launcher.plan import Flags, make_plan
from cli.launcher.services import Service, keys_faults
from runtime.process.settings import SettingsError

BUS = "runtime.messaging.settings"
WORKER = "runtime.worker.settings"
GATEWAY_FLAGS = {"port": "EASEL_GATEWAY_PORT", "keys": "EASEL_GATEWAY_KEYS_FILE"}
SERVICES = (
    Service(
        "gateway",
        "tests.cli.tiny.gateway",
        ("tests.cli.tiny.settings", BUS),
        GATEWAY_FLAGS,
        faults=keys_faults,
        takes_jobs=False,
    ),
    Service("diffusion", "tests.cli.tiny.worker", (WORKER, BUS), replicated=True),
)
FAKE = (
    next(service for service in services.SERVICES if service.name == "gateway"),
    Service("diffusion", "tests.support.fake_worker", (WORKER, BUS), replicated=True),
)

if __name__ == "__main__":
    _, data_dir, workers, port = sys.argv
    chosen = FAKE if os.environ.get("TINY_SERVICES") == "fake" else SERVICES
    flags = Flags(port=int(port), data_dir=Path(data_dir), workers=int(workers))
    try:
        run(make_plan(flags, os.environ, chosen), verbose=False, as_json=True)
    except (CliError, SettingsError) as fault:
        print(fault, file=sys.stderr)
        sys.exit(fault.code if isinstance(fault, CliError) else 2)
