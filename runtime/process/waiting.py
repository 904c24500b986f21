"""Waiting with a limit, such that a cancellation always arrives.

`asyncio.wait_for` of Python 3.11 drops a cancellation that comes together with what it waits for
(python/cpython#86296): the task goes on, and whoever cancelled it waits for ever. Our own code waits with
`asyncio.timeout` or with `until`; nats-py waits with `wait_for` under every request, so `keep_cancellations`
gives it the one of Python 3.12.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")

PASSING_S = 0.003
"""Within it a message passes from worker over bus and gateway to client. On few cores these take turns: who tidies up
at once keeps the next from passing it on."""


async def answer_passed() -> None:
    """Wait until an answer that was sent is where it goes; for work that nobody waits for."""
    await asyncio.sleep(PASSING_S)


async def until(event: asyncio.Event, within_s: float) -> bool:
    """Wait for an event, `within_s` seconds at most; whether it came."""
    try:
        async with asyncio.timeout(within_s):
            return await event.wait()
    except TimeoutError:
        return False


async def first(*waits: Awaitable[Any]) -> None:
    """Return when one of them is over, however it ended. The others are cancelled: shield what is to go on."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def keep_cancellations() -> None:
    """Let `asyncio.wait_for` keep cancellations in this process, whoever calls it."""
    if sys.version_info < (3, 12):
        asyncio.wait_for = _wait_for  # type: ignore[assignment]  # noqa: TID251  this is what replaces it


async def _wait_for(fut: Awaitable[T], timeout: float | None) -> T:  # noqa: ASYNC109  the signature that it replaces
    async with asyncio.timeout(timeout):
        return await fut
