"""Finding the browser: Debian's, or whatever stands on the PATH. Nothing is downloaded."""

from __future__ import annotations

import shutil
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
"""Containers have neither the kernel features of the sandbox nor a large /dev/shm."""
MISSING = f"no browser on the PATH (looked for {', '.join(NAMES)}); apt-get install chromium"


def executable() -> str | None:
    """Path of a Chromium, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)
