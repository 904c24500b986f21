"""llama.cpp's own server with the small model: `make test-llama` builds it and says where it is."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.enhancer.engines.factory import model_file
from tests.support.ports import free_port

BINARY = os.environ.get("EASEL_TEST_LLAMA_SERVER", "")
START_S = 120.0


class LlamaServer:
    """`start`, `kill` (-9) and `start` again on the same port."""

    def __init__(self, log: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--ctx-size", "4096", "--parallel", "2", "--threads", "2", "--host", "127.0.0.1"]
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                [BINARY, "--model", str(model_file()), "--port", str(self.port), *options], stdout=out, stderr=out
            )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self._log.read_text()[-2000:]
            try:
                if httpx.get(f"{self.url}/health", timeout=5).is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError(self._log.read_text()[-2000:])

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    if not BINARY:
        pytest.skip("llama.cpp's server is built and tested by 'make test-llama'")
    server = LlamaServer(tmp_path_factory.mktemp("llama") / "log")
    server.start()
    yield server
    server.kill()
