"""Seeds as people write them: `7`, `1,4,9`, `20-24`, or any of these with commas between."""

from __future__ import annotations

import re

from cli.faults import CliError, ExitCode

MAX_SEED = 2**32 - 1
MAX_SEEDS = 100
_PART = re.compile(r"(\d+)(?:-(\d+))?")


def parse_seeds(text: str) -> list[int | None]:
    """The seeds in order; None, once, for any (`-1` or nothing).

    Raises:
        CliError: it is not a list of seeds, or a longer one than anybody means.
    """
    if text.strip() in ("", "-1"):
        return [None]
    found: list[int | None] = []
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise CliError(ExitCode.USAGE, f"{text!r} are not seeds; write --seed 7, --seed 1,4,9 or --seed 20-24")
        first, last = int(match[1]), int(match[2] or match[1])
        if last > MAX_SEED or last < first:
            raise CliError(
                ExitCode.USAGE, f"seeds go from 0 to {MAX_SEED}, the lower one first; {part.strip()!r} does not"
            )
        if last - first >= MAX_SEEDS or len(found) + last - first >= MAX_SEEDS:
            raise CliError(ExitCode.USAGE, f"{text} are more than {MAX_SEEDS} seeds; draw them in several commands")
        found += range(first, last + 1)
    return found
