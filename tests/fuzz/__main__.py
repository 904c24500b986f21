"""`python -m tests.fuzz [--seconds N] [LANE …]`: each lane under libFuzzer, with the kept corpus; 1 when one found something.

What it learns lies in `.fuzz/`; an input that was a find belongs into `tests/fuzz/corpus/LANE`, where every test run tries it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus")
LANES = sorted(folder.name for folder in CORPUS.iterdir())
LEARNT = Path(__file__).parents[2] / ".fuzz"
SLOWEST_S = 10
"""For one input; more is a find."""
MEMORY_MB = 2048


def main() -> int:
    words = argparse.ArgumentParser()
    words.add_argument("--seconds", type=int, default=60)
    words.add_argument("--one", action="store_true", help="run the lane in this process")
    words.add_argument("lane", nargs="*", choices=[*LANES, []])
    given = words.parse_args()
    if given.one:
        drive(given.lane[0], given.seconds)
    found = []
    for lane in given.lane or LANES:
        print(f"--- {lane}", flush=True)
        argv = [sys.executable, "-m", "tests.fuzz", "--one", "--seconds", str(given.seconds), lane]
        if subprocess.run(argv, check=False).returncode:
            found.append(lane)
    print(f"finds in: {', '.join(found)}; the inputs lie in {LEARNT}" if found else "no finds")
    return len(found) > 0


def drive(lane: str, seconds: int) -> None:
    """Ends the process."""
    import atheris

    with atheris.instrument_imports(include=["contracts", "gateway", "runtime", "imagesize", "multipart"]):
        from tests.fuzz import lanes

    learnt = LEARNT / lane
    learnt.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-timeout={SLOWEST_S}", f"-rss_limit_mb={MEMORY_MB}", "-max_len=65536"]
    options = [*limits, f"-artifact_prefix={learnt}-", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, str(learnt), str(CORPUS / lane)], lambda data: lanes.run(lane, data))
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
