"""Checkpoints that survive being stopped at any moment, and progress lines."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

SAVE_SECONDS = 180


class Checkpoint:
    """Saves and restores anything with ``state_dict``; written beside and renamed, so never half a file."""

    def __init__(self, path: Path, **parts: Any) -> None:
        self._path, self._parts, self._saved = path, parts, time.monotonic()

    def load(self) -> int:
        """Restore every part that was saved and return the step reached, 0 when there is nothing to restore."""
        if not self._path.exists():
            return 0
        state = torch.load(self._path, weights_only=False)
        for name, part in self._parts.items():
            if name in state:
                part.load_state_dict(state[name])
        return state["step"]

    def save(self, step: int) -> None:
        state = {name: part.state_dict() for name, part in self._parts.items()}
        partial = self._path.with_suffix(".partial")
        torch.save({**state, "step": step}, partial)
        partial.replace(self._path)
        self._saved = time.monotonic()

    def save_if_due(self, step: int) -> None:
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self.save(step)


def report(what: str, step: int, steps: int, rate: float, **figures: float) -> None:
    """One progress line; ``rate`` is samples per second."""
    shown = " ".join(f"{name} {value:.4f}" for name, value in figures.items())
    print(f"{time.strftime('%H:%M:%S')} {what} {step}/{steps} {rate:.1f}/s {shown}", flush=True)
