"""A child leads a process group of its own: signals reach the whole of it, and it dies when the launcher does."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable

GONE_S = 2.0
_POLL_S = 0.005
_PR_SET_PDEATHSIG = 1
# loaded before any fork: the child of a fork may not load libraries
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def send(leader: int, number: int) -> bool:
    """Whether anybody of the group was there to get it."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


async def gone(leader: int) -> None:
    """Wait until the killed group has left, but not for zombies that nobody collects."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GONE_S):
            while send(leader, 0):  # noqa: ASYNC110 - the kernel tells only the parent, which has died
                await asyncio.sleep(_POLL_S)


def dies_with(launcher: int) -> Callable[[], None] | None:
    """Run in the new process before its program: the kernel kills it when the launcher is gone (Linux, prctl(2))."""
    if (libc := _libc) is None:
        return None

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != launcher:  # it died before we asked
            os._exit(1)

    return ask
