"""Who may use an engine now: requests of one model together as far as they fit, everything else alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable
from dataclasses import dataclass

ALONE = ""
"""The group of what has the engine for itself."""
_ROUNDING = 1e-9


@dataclass(eq=False)
class _Turn:
    group: Hashable
    share: Callable[[], float]
    came: asyncio.Future[None]
    taken: float = 0.0


class Turns:
    """First come, first served. Belongs to the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[_Turn] = deque()
        self._running: list[_Turn] = []

    @contextlib.asynccontextmanager
    async def take(self, group: Hashable = ALONE, share: Callable[[], float] = lambda: 1.0) -> AsyncIterator[None]:
        """Hold the engine, with others of `group` while their shares add up to at most 1.

        `share` is asked when it matters: what an engine can do may change with those before.
        """
        turn = _Turn(group, share, asyncio.get_running_loop().create_future())
        self._waiting.append(turn)
        self._admit()
        try:
            await turn.came
            yield
        finally:
            (self._running if turn in self._running else self._waiting).remove(turn)
            self._admit()

    def _admit(self) -> None:
        while self._waiting:
            turn = self._waiting[0]
            turn.taken = turn.share()
            if not self._fits(turn):
                return
            self._running.append(self._waiting.popleft())
            if not turn.came.done():
                turn.came.set_result(None)

    def _fits(self, turn: _Turn) -> bool:
        if not self._running:
            return True
        together = turn.group != ALONE and all(other.group == turn.group for other in self._running)
        return together and sum(other.taken for other in self._running) + turn.taken <= 1 + _ROUNDING
