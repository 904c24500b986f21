"""`python -m tools.licences`: refuse packages under licences that Easel's users would not expect.

Judged are the packages that the extras pull in, as they are installed here, by what they say of themselves.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata

from packaging.requirements import Requirement

ALLOWED = re.compile(
    r"apache|mit\b|bsd|isc\b|psf|python software foundation|mpl|mozilla public|unlicense|zlib|cc0|hpnd|cnri|cmu|dfsg",
    re.IGNORECASE,
)
REFUSED = re.compile(r"\b(a?gpl|affero|gnu general public|sspl|busl|proprietary|non-?commercial)", re.IGNORECASE)
REVIEWED = {"textual-image": "LGPL, imported as it is and replaceable; `easel generate` does without it"}
"""Packages that say something which only looks bad, or nothing -> what a person found."""


def packages(root: str, extras: frozenset[str]) -> dict[str, metadata.Distribution]:
    """`root` and all that it needs here with `extras`, by normal name."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [(root, extras)]
    while waiting:
        name, wanted = waiting.pop()
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform
        if normal(name) in found and not wanted:
            continue
        found[normal(name)] = package
        for line in package.requires or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                inner = frozenset(needed.extras)
                if normal(needed.name) not in found or inner:
                    waiting.append((needed.name, inner))
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(package: metadata.Distribution) -> str:
    """In its own words."""
    told = package.metadata.get_all("Classifier") or []
    kinds = [line.rpartition(" :: ")[2] for line in told if line.startswith("License ::")]
    stated = package.metadata.get("License-Expression", "")
    text = package.metadata.get("License", "")
    return stated or "; ".join(kinds) or text.split("\n")[0][:80]


def main() -> int:
    """Exit status 1 where a package is refused."""
    found = packages("easel", frozenset({"all", "telemetry"}))
    faults = []
    for name, package in sorted(found.items()):
        said = licence(package)
        if name in REVIEWED:
            continue
        if REFUSED.search(said) or not ALLOWED.search(said):
            faults.append(f"{name} {package.version}: {said or 'says nothing'}")
    print(f"{len(found)} packages, {len(faults)} to look at")
    print("\n".join(faults))
    return len(faults) > 0


if __name__ == "__main__":
    sys.exit(main())
