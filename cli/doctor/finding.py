"""What one check found."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """It works, though not as well as it might."""
    FAULT = "fault"
    """Nothing can be drawn until it is mended."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    name: str
    verdict: Verdict
    said: str
    advice: str = ""
    """What to do; empty where there is nothing."""


def ok(name: str, said: str) -> Finding:
    return Finding(name, Verdict.OK, said)


def note(name: str, said: str, advice: str) -> Finding:
    return Finding(name, Verdict.NOTE, said, advice)


def fault(name: str, said: str, advice: str) -> Finding:
    return Finding(name, Verdict.FAULT, said, advice)
