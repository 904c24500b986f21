"""Memory of a process, as the kernel counts it."""

from __future__ import annotations

import re
from pathlib import Path


def resident_bytes(pid: int) -> int:
    """Resident set size in bytes."""
    return _bytes(pid, "VmRSS")


def peak_bytes(pid: int) -> int:
    """The largest resident set since the process began, or since `forget_peak`."""
    return _bytes(pid, "VmHWM")


def forget_peak(pid: int) -> None:
    """Count the largest from now on (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _bytes(pid: int, field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found, pid
    return int(found[1]) * 1024
