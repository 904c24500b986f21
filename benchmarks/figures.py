"""Turning samples into the figures that the tables show."""

from __future__ import annotations

import statistics


def percentile(samples: list[float], share: float) -> float:
    """The smallest sample that at least `share` (0 … 1) of the samples do not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def milliseconds(seconds: float) -> str:
    """With one decimal."""
    return f"{seconds * 1000:.1f}"


def median(samples: list[float]) -> float:
    """The usual one."""
    return statistics.median(samples)


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
