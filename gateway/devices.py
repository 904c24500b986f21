"""Devices by the names that people use for them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from contracts.errors import EaselError, ErrorCode
from contracts.workers import WorkerPresence

_KINDS = {
    "auto": "",
    "gpu": r"(cuda|xpu|mps|gpu|rocm)\b",
    "npu": r"(npu\b|ax\d)",
}


def device_is(device: str, wanted: str) -> bool:
    """Whether `device`, as a worker announces it, goes by the name `wanted`: `cpu`, `GPU`, `cuda:0`, `auto`."""
    name = wanted.strip().lower()
    return re.match(_KINDS.get(name, rf"{re.escape(name)}(?!\w)"), device.lower()) is not None


def on_device(workers: Iterable[WorkerPresence], wanted: str) -> list[WorkerPresence]:
    """The workers that draw and whose pool is on the device and nowhere else, so that a job put there is drawn there.

    Raises:
        EaselError: UNSUPPORTED, with the devices that there are.
    """
    live = [worker for worker in workers if worker.models]
    elsewhere = {worker.pool for worker in live if not device_is(worker.device, wanted)}
    found = [worker for worker in live if worker.pool not in elsewhere]
    if found:
        return found
    shared = sorted({worker.pool for worker in live if device_is(worker.device, wanted)})
    if shared:
        said = f"the workers on {wanted} share the pool {shared[0]} with others; give them one of their own"
        raise EaselError(ErrorCode.UNSUPPORTED, f"{said} (EASEL_WORKER_POOL)", param="device")
    have = ", ".join(sorted({worker.device for worker in live})) or "none"
    raise EaselError(ErrorCode.UNSUPPORTED, f"no worker runs on {wanted!r}; there are: {have}", param="device")
