"""The openly licensed artwork, from the npm registry."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

PACKAGES = {"fluent-emoji-flat": "@iconify-json/fluent-emoji-flat@1.2.6", "noto": "@iconify-json/noto@1.2.9"}


def fetch_artwork(folder: Path) -> None:
    """Unpack each icon package into its own folder below ``folder``; needs npm."""
    for name, package in PACKAGES.items():
        if (folder / name / "icons.json").exists():
            continue
        (folder / name).mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(  # noqa: S603 - a fixed command
            ["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True, text=True
        )
        with tarfile.open(folder / packed.stdout.strip().splitlines()[-1]) as archive:
            for member in archive.getmembers():
                member.name = member.name.removeprefix("package/")
                archive.extract(member, folder / name, filter="data")
