"""Completion as a shell asks for it."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.cli.conftest import JOB
from tests.cli.stub_gateway import StubGateway


def completed(words: str, **environ: str) -> list[str]:
    """What bash is offered for the last word."""
    asking = {"_EASEL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    command = [sys.executable, "-m", "cli"]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, **asking, **environ}, check=False
    )
    return ended.stdout.split()


def test_commands_models_and_jobs_are_completed(gateway: StubGateway) -> None:
    gateway.routes["GET /v1/models"] = lambda r: r.json({"data": [{"id": "pocket"}, {"id": "sdxl"}]})
    gateway.routes["GET /jobs"] = lambda r: r.json({"jobs": [{"job_id": JOB, "status": "queued", "prompt": "a boat"}]})
    assert completed("easel gen") == ["generate"]
    assert completed("easel generate fox --model po", EASEL_URL=gateway.url) == ["pocket"]
    assert JOB in completed("easel jobs cancel 0", EASEL_URL=gateway.url)


def test_without_a_gateway_nothing_is_offered_and_nothing_complains() -> None:
    assert completed("easel generate fox --model po", EASEL_URL="http://127.0.0.1:9") == []
