"""How many pictures a device draws at once with profit, found out by trying."""

from __future__ import annotations

import time
from typing import Any

import structlog
from torch import Tensor

from services.diffusion.engines.batching.calls import Call
from services.diffusion.engines.batching.device_thread import RunCalls

log = structlog.get_logger()

MOST = 16
PAYS = 1.2
"""Gain in pictures a second that every doubling of the batch must bring: each picture waits for the others meanwhile,
and what is measured wavers by a tenth."""
SATURATED_S = 0.5
"""A step of this length leaves nothing of the device to others: none faster than seconds was seen to gain, and trying
would keep the first picture waiting."""
TRIES = 3
"""Of each size; the first warms up, the fastest counts."""


def measure(call: Call, run: RunCalls) -> int:
    """Calls like `call` that are worth merging: 1, 2, 4, … `MOST`. To be called in the device's thread."""
    best, at_once = _seconds([call], run), 1
    while at_once < MOST and best < SATURATED_S:
        try:
            doubled = _seconds([call] * (2 * at_once), run)
        except (RuntimeError, MemoryError) as fault:
            log.info("no memory for larger batches", pictures=2 * at_once, fault=str(fault)[:200])
            break
        if 2 * best / doubled < PAYS:
            break
        best, at_once = doubled, 2 * at_once
    return at_once


def _seconds(calls: list[Call], run: RunCalls) -> float:
    return min(_once(calls, run) for _ in range(TRIES))


def _once(calls: list[Call], run: RunCalls) -> float:
    began = time.perf_counter()
    for result in run(calls):
        _arrived(result)
    return time.perf_counter() - began


def _arrived(result: Any) -> None:
    """Wait for a device that works on behind our back."""
    first: Tensor = result[0] if isinstance(result, list) else result
    first.flatten()[:1].cpu()
