"""Where processes keep what outlives them (XDG base directory specification)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """`$XDG_DATA_HOME/easel`, or `~/.local/share/easel`."""
    given = Path(environ.get("XDG_DATA_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".local" / "share") / "easel"
