"""`python -m tools.lock`: requirements.lock, the pinned packages with the hashes of the files that this platform takes.

Install from it with `pip install --require-hashes --no-deps --requirement requirements.lock`. Another platform takes
other files, so each makes its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Asks the registry for each pinned package; nothing is installed."""
    with tempfile.NamedTemporaryFile("r", suffix=".json") as report:
        dry = ["--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", report.name]
        pins = ["--requirement", str(ROOT / "constraints.txt")]
        subprocess.run([sys.executable, "-m", "pip", "install", *dry, *pins], check=True)  # noqa: S603  our own words
        found = json.load(report)["install"]
    (ROOT / "requirements.lock").write_text("".join(sorted(map(_line, found), key=str.lower)))
    return 0


def _line(package: dict[str, dict[str, dict[str, dict[str, str]]]]) -> str:
    told, digest = package["metadata"], package["download_info"]["archive_info"]["hashes"]["sha256"]
    return f"{told['name']}=={told['version']} --hash=sha256:{digest}\n"


if __name__ == "__main__":
    sys.exit(main())
