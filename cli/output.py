"""Results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, TextIO

import typer


def say(line: str) -> None:
    """A line for the person at the terminal; one that has gone away is no fault."""
    try:
        typer.echo(line, err=True)
    except OSError:
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Send the rest to nowhere: its reader has left, and Python would complain again when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def result(line: str) -> None:
    """A line of the result."""
    typer.echo(line)


def result_json(value: Any) -> None:
    """The result as one line of JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def result_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns that `awk` and people can read; headings only for people."""
    lines = [[heading.upper() for heading in headings], *rows] if sys.stdout.isatty() else list(rows)
    widths = [max((len(line[column]) for line in lines), default=0) for column in range(len(headings))]
    for line in lines:
        result("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def colour_allowed() -> bool:
    """Whether stderr is a terminal whose user did not ask for plain text (no-color.org)."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
