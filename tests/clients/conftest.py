"""A whole system of real processes with API keys, and programs that use it through clients as they are published."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.nats_server import NatsServer
from tests.support.whole_system import System, whole_system

HERE = Path(__file__).parent
OTHERS = Path(os.environ.get("EASEL_CLIENTS_VENV", HERE / ".venv")) / "bin/python"
NODE_MODULES = HERE / "node/node_modules"
PROGRAM_S = 200


@pytest.fixture(scope="module")
def system(nats_server: NatsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Its worker takes 20 ms a step, long enough to be cancelled."""
    with whole_system(nats_server, tmp_path_factory.mktemp("system"), step_s=0.02, loras="fog,ink", keys=True) as found:
        yield found


@pytest.fixture
def run_program(system: System) -> Callable[..., None]:
    """Run a program of `python` or `node` with the system's address; its failure is the test's."""

    def run(*command: str) -> None:
        environment = os.environ | {
            "EASEL_URL": system.url,
            "EASEL_KEY": system.key,
            "OPENAI_API_KEY": system.key,
            "OPENAI_BASE_URL": f"{system.url}/v1",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PROGRAM_S, cwd=HERE, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.fixture
def this_python() -> str:
    """The interpreter of the tests, which has the current packages."""
    return sys.executable


@pytest.fixture
def other_python() -> str:
    """An interpreter with the packages that cannot stand beside the current ones."""
    if not OTHERS.exists():
        pytest.skip(f"no {OTHERS}: `make test-clients` makes it")
    return str(OTHERS)


@pytest.fixture
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node.js is not installed: its clients were not tried")
    if not NODE_MODULES.exists():
        pytest.skip(f"no {NODE_MODULES}: `make test-clients` makes it where npm is installed")
    return found
