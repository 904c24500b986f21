"""The machine itself: Python, devices, memory, disk."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cli.doctor.finding import Finding, fault, note, ok

if TYPE_CHECKING:
    from services.diffusion.choices import Choice

OLDEST_PYTHON = (3, 11)
LITTLE_MEMORY = 2 << 30
"""Bytes: the bundled model's worker takes half a gigabyte, torch's own memory included."""
LITTLE_DISK = 2 << 30
TORCH_S = 120.0
_PROBE = """
import json, torch
found = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
found += [f"xpu:{i} {torch.xpu.get_device_name(i)}" for i in range(torch.xpu.device_count())]
found += ["mps"] if torch.backends.mps.is_available() else []
print(json.dumps({"torch": torch.__version__, "devices": found}))
"""


def python() -> Finding:
    """Whether this Python is new enough."""
    if sys.version_info < OLDEST_PYTHON:
        advice = "install Python 3.11 or newer, then: make PYTHON=python3.11 run"
        return fault("python", f"{platform.python_version()} is too old", advice)
    return ok("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def devices() -> Finding:
    """What torch can draw with, asked in a process of its own: a broken driver must not take the doctor with it."""
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, timeout=TORCH_S, check=False
        )
    except subprocess.TimeoutExpired:
        return fault("devices", f"torch did not start within {TORCH_S:g} s", "look at the GPU's driver")
    if asked.returncode:
        reason = (asked.stderr.strip().splitlines() or ["no reason given"])[-1]
        return fault("devices", f"torch does not start: {reason}", "pip install 'easel[diffusion]'")
    found = json.loads(asked.stdout.splitlines()[-1])
    if found["devices"]:
        return ok("devices", f"{', '.join(found['devices'])} (torch {found['torch']})")
    cores = os.cpu_count() or 1
    advice = "the bundled model is quick on it; large ones want a GPU and a torch that was built for it"
    return note("devices", f"CPU with {cores} cores (torch {found['torch']})", advice)


def engines(environ: Mapping[str, str]) -> Finding:
    """What draws, and how fast where that was measured here."""
    from services.diffusion.choices import Choices, cache_folder

    wanted = environ.get("EASEL_DIFFUSION_ENGINE") or "auto"
    if wanted != "auto":
        return ok("engines", f"{wanted} draws, as EASEL_DIFFUSION_ENGINE says")
    if importlib.util.find_spec("openvino") is None:
        return ok("engines", "diffusers draws; pip install 'easel[openvino]' for the other one, often faster on a CPU")
    found = Choices(cache_folder(environ.get("EASEL_DIFFUSION_CACHE_DIR", ""), environ)).all()
    if not found:
        return ok("engines", "which one is faster on the CPU is measured at a model's first load")
    return ok("engines", "; ".join(map(_measured, found)))


def _measured(choice: Choice) -> str:
    others = [f"{engine} {_ms(s)}" for engine, s in choice.step_s.items() if engine != choice.engine]
    return f"{choice.engine} draws {choice.model}, {_ms(choice.step_s[choice.engine])} a step ({', '.join(others)})"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


def memory() -> Finding:
    """How much is free."""
    free, total = _free_bytes(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    said = f"{_gigabytes(free)} of {_gigabytes(total)} free"
    return (
        ok("memory", said) if free >= LITTLE_MEMORY else note("memory", said, "close something, or offer small models")
    )


def disk(folder: Path) -> Finding:
    """Room where the queue and the pictures are kept."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK):
        return fault("disk", f"{there} cannot be written", "choose another folder: easel up --data-dir DIR")
    free = shutil.disk_usage(there).free
    said = f"{_gigabytes(free)} free in {there}"
    return ok("disk", said) if free >= LITTLE_DISK else note("disk", said, "make room, or use easel up --data-dir DIR")


def _free_bytes() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES"))


def _gigabytes(count: int) -> str:
    return f"{count / (1 << 30):.1f} GB"
