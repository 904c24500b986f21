"""Graphs on the card, by pyaxengine (https://github.com/AXERA-TECH/pyaxengine), which checks little and says less.

It asserts shapes (nothing under `python -O`, then it copies raw memory), prints to stdout, takes its providers as a
list of names only, ignores provider options inside that list, and is not re-entrant. `Graph` checks before it, the
card's one thread keeps calls apart.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from contracts.errors import EaselError, ErrorCode
from services.axera_edge.noise import Array
from services.axera_edge.sessions.session import TensorSpec

with contextlib.redirect_stdout(sys.stderr):
    import axengine

CARD = Path("/dev/axcl_host")
_FAULTS = (RuntimeError, ValueError, AssertionError, OSError, AttributeError)
"""What it raises for a card that is not there, a graph that does not load, a call that fails."""
_DRIVER_CODES = {
    0x8030010B: "the driver's node /dev/axcl_host cannot be opened: load the module (modprobe axcl_host)",
    0x80300181: "no card is connected: check its seat, its power and dtoverlay=pciex1-compat-pi5,no-mip",
}


class AxengineSessions:
    """Satisfies `OpenSession`. `provider`: axengine's name for it, or `auto`."""

    def __init__(self, provider: str, device_id: int) -> None:
        """Raises EaselError, ENGINE_FAILED, when axengine does not have the provider."""
        have = list(axengine.get_available_providers())
        wanted = _preferred(have) if provider == "auto" else provider
        if wanted not in have:
            message = f"axengine has no {wanted} here; it has {', '.join(have) or 'none'}"
            raise EaselError(ErrorCode.ENGINE_FAILED, message)
        self._provider = wanted
        self._device_id = device_id

    @property
    def device(self) -> str:
        return f"Axera NPU {self._device_id} ({self._provider})"

    def __call__(self, path: Path) -> AxengineSession:
        return AxengineSession(path, self._provider, self._device_id)


class AxengineSession:
    """Satisfies `Session`."""

    def __init__(self, path: Path, provider: str, device_id: int) -> None:
        self._path = path
        options = [{"device_id": device_id}] if provider == axengine.axclrt_provider_name else None
        try:
            with contextlib.redirect_stdout(sys.stderr):
                self._session = axengine.InferenceSession(str(path), providers=[provider], provider_options=options)
        except _FAULTS as fault:
            raise _explained(f"{path} cannot be loaded on the card", fault) from fault
        self._inputs, self._outputs = (
            tuple(TensorSpec(it.name, tuple(map(int, it.shape)), np.dtype(it.dtype)) for it in declared)
            for declared in (self._session.get_inputs(), self._session.get_outputs())
        )

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        return self._inputs

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        return self._outputs

    def run(self, feed: dict[str, Array]) -> list[Array]:
        try:
            results = self._session.run(None, feed)
        except _FAULTS as fault:
            raise _explained(f"{self._path.name} failed on the card", fault) from fault
        return [np.array(result) for result in results]  # its buffers are written again by the next run


def _preferred(have: list[str]) -> str:
    """A card before the board's own NPU, where there is a card."""
    card: str = axengine.axclrt_provider_name
    return card if card in have and (CARD.exists() or len(have) == 1) else have[0] if have else card


def _explained(what: str, fault: Exception) -> EaselError:
    """With the driver's code in its documented form, and what it means."""
    said = str(fault).strip() or type(fault).__name__
    number = next((int(word.strip(".")) for word in said.split() if word.strip(".").lstrip("-").isdigit()), 0)
    code = number & 0xFFFFFFFF if number < 0 else number
    known = f" (0x{code:08x}: {_DRIVER_CODES[code]})" if code in _DRIVER_CODES else ""
    return EaselError(ErrorCode.ENGINE_FAILED, f"{what}: {said}{known}; RASPBERRY_PI_SETUP.md lists the driver's codes")
