"""What the OpenAPI document says is what the gateway does: requests made from it, legal and not, by schemathesis."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.whole_system import System

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("EASEL_API_SECONDS", "0"))
"""Time for invented requests and for chains of them; without it every operation gets its set of known cases once."""
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "negative_data_rejection,unsupported_method,ensure_resource_availability"
)
"""Without use_after_free: DELETE cancels a job, and what became of it can be read afterwards. Without
allow_header_conformance: Litestar answers OPTIONS with the methods of the first handler of a path."""


@pytest.mark.timeout(SECONDS + 400)
def test_no_request_made_from_the_description_finds_a_fault(system: System, tmp_path: Path) -> None:
    effort = ("--phases", "coverage", "--seed", "1")
    if SECONDS:
        effort = ("--phases", "coverage,fuzzing,stateful", "--max-time", str(SECONDS))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{system.url}/schema/openapi.json", *effort),
        *("--checks", CHECKS, "--request-timeout", "60", "--max-failures", "10", "--no-color"),
    ]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.api.forms", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | hooks, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-2000:]
