"""Who is on the bus: what each worker announces of itself."""

from __future__ import annotations

import msgspec

from contracts.images import ModelInfo


class DeviceLoad(msgspec.Struct, frozen=True, kw_only=True):
    """One graphics device at one moment."""

    id: str
    """`cuda:0` or `card0`, as its driver counts."""
    memory_used_bytes: int
    memory_bytes: int
    """All that it has, above 0."""
    utilization: float
    """Share of time that it is busy, 0 … 1."""


class WorkerPresence(msgspec.Struct, frozen=True, kw_only=True):
    """One worker at one moment, repeated every few seconds; silence for `PRESENCE_TTL_S` means that it is gone."""

    id: str
    service: str
    """`diffusion`, `enhancer`, `axera_edge`"""
    pool: str
    """The queue it pulls from; all workers of a pool can do the same jobs."""
    models: tuple[ModelInfo, ...]
    device: str
    """As people name it: `cpu`, `cuda:0 NVIDIA H200`, `AX650N`."""
    slots: int
    """Jobs it runs at once."""
    free_slots: int
    loaded: tuple[str, ...] = ()
    """Ids of the models in memory."""
    host: str = ""
    version: str = ""
    started_at: float
    sent_at: float
    memory_bytes: int = 0
    """Resident memory of the process."""
    devices: tuple[DeviceLoad, ...] = ()
    """The graphics devices of its machine, as far as their drivers tell."""
    stopping: bool = False
    """It takes no more jobs; sent once on the way out so that it leaves every list at once."""


PRESENCE_INTERVAL_S = 2.0
PRESENCE_TTL_S = 6
"""Whole seconds: three missed announcements."""
