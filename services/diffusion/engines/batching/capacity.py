"""How many pictures a device draws at once with profit, found out by trying."""

from __future__ import annotations

import statistics
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
ROUNDS = 3
"""In each the smaller and the larger batch are run in turn, so that what else the machine does slows both; the median
gain counts."""
TRIALS = 2
"""That a gain must be found in, one after the other: on two shared cores single trials said 1, 2 and 4 in turn."""


def measure(call: Call, run: RunCalls) -> int:
    """Calls like `call` that are worth merging: 1, 2, 4, … `MOST`. To be called in the device's thread."""
    at_once = 1
    while at_once < MOST:
        few, many = [call] * at_once, [call] * (2 * at_once)
        timed(few, run)  # warms up
        if timed(few, run) >= SATURATED_S:
            break
        try:
            timed(many, run)
            if not all(_gain(few, many, run) >= PAYS for _ in range(TRIALS)):
                break
        except (RuntimeError, MemoryError) as fault:
            log.info("no memory for larger batches", pictures=len(many), fault=str(fault)[:200])
            break
        at_once = len(many)
    return at_once


def _gain(few: list[Call], many: list[Call], run: RunCalls) -> float:
    """In pictures a second, for twice as many at once."""
    return statistics.median(2 * timed(few, run) / timed(many, run) for _ in range(ROUNDS))


def timed(calls: list[Call], run: RunCalls) -> float:
    """Seconds until the results are there."""
    began = time.perf_counter()
    for result in run(calls):
        _arrived(result)
    return time.perf_counter() - began


def _arrived(result: Any) -> None:
    """Wait for a device that works on behind our back."""
    first: Tensor = result[0] if isinstance(result, list) else result
    first.flatten()[:1].cpu()
