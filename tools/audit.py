"""`python -m tools.audit PIP_AUDIT [--where-possible]`: refuse pinned packages with known vulnerabilities.

pip-audit counts a package that its advisory service does not know as a warning, and with `--strict` stops at the first:
here each such package is named and is a failure, and a service that knows none is one that could not be asked. That is
a failure too, but with `--where-possible`: for machines without the internet.
"""

from __future__ import annotations

import json
import subprocess
import sys

_ASK = (
    "--requirement",
    "constraints.txt",
    "--no-deps",
    "--disable-pip",
    "--format",
    "json",
    "--progress-spinner",
    "off",
)


def main(pip_audit: str, *words: str) -> int:
    """Exit status 1: a package is vulnerable or unknown; 2: nobody could be asked."""
    command = [pip_audit, *_ASK]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  what `make audit` installed
    try:
        packages = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        packages = []
    known = [package for package in packages if "skip_reason" not in package]
    if not known:
        print("NOT AUDITED: no advisory service answers" if packages else f"NOT AUDITED: {asked.stderr[-500:].strip()}")
        return 0 if "--where-possible" in words else 2
    faults = [f"{it['name']} {it['version']}: {found['id']}" for it in known for found in it["vulns"]]
    faults += [f"{it['name']}: {it['skip_reason']}" for it in packages if "skip_reason" in it]
    print(*faults, f"{len(known)} packages audited, {len(faults)} to look at", sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
