"""SECURITY.md names a test for each defence, and the test is there."""

from __future__ import annotations

import re
from pathlib import Path

from tools import licences

ROOT = Path(__file__).parents[2]
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> list[list[str]]:
    lines = (ROOT / "SECURITY.md").read_text().splitlines()
    table = [line for line in lines if line.startswith("| ") and not line.startswith("| threat")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_every_test_that_is_named_exists() -> None:
    named = _TEST.findall((ROOT / "SECURITY.md").read_text())
    assert len(named) > 20
    missing = [f"{file}::{name}" for file, name in named if not _has(ROOT / file, name)]
    assert missing == []


def _has(file: Path, name: str) -> bool:
    return file.is_file() and re.search(rf"^(async )?def {name}\(", file.read_text(), re.MULTILINE) is not None


def test_every_threat_has_a_defence_and_a_test_or_says_that_it_has_none() -> None:
    assert len(rows()) > 15
    for threat, defence, test in rows():
        assert threat
        assert defence
        assert _TEST.search(test) or test == "none yet", threat


def test_every_package_has_a_licence_that_users_expect() -> None:
    """Of all that the extras bring. A new one that is refused was looked at by nobody: see tools/licences.py."""
    assert licences.main() == 0
