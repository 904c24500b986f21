"""What pip-audit says is judged: nothing passes because it is not known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import audit

GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "CVE-1"}]}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


@pytest.fixture
def saying(tmp_path: Path):
    """A program that says of the packages what pip-audit would."""

    def make(*packages: dict[str, object]) -> str:
        program = tmp_path / "pip-audit"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps({'dependencies': packages})}\nEND\nexit 1\n")
        program.chmod(0o700)
        return str(program)

    return make


def test_packages_without_a_finding_pass(saying) -> None:
    assert audit.main(saying(GOOD)) == 0


@pytest.mark.parametrize("package", [BAD, UNKNOWN])
def test_what_is_vulnerable_or_unknown_fails(saying, package, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(saying(GOOD, package), "--where-possible") == 1
    assert package["name"] in capsys.readouterr().out


@pytest.mark.parametrize("packages", [(), (UNKNOWN, UNKNOWN)])
def test_a_service_that_knows_nothing_could_not_be_asked(saying, packages) -> None:
    assert audit.main(saying(*packages)) == 2
    assert audit.main(saying(*packages), "--where-possible") == 0
