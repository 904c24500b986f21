"""How many jobs a worker takes at once: as many as its handler computes with profit at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runtime.process.waiting import first


class Slots:
    """Belongs to the event loop. The number may change at any time; who is in stays in."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._changed = asyncio.Event()
        self.busy = 0
        """Slots in use."""
        self.on_change: Callable[[], None] = lambda: None
        """Called whenever there may be more or fewer of them, or of the free ones."""

    @property
    def count(self) -> int:
        return self._count()

    @property
    def free(self) -> int:
        return max(0, self.count - self.busy)

    def take(self) -> None:
        self.busy += 1
        self.refresh()

    def give(self) -> None:
        self.busy -= 1
        self.refresh()

    def refresh(self) -> None:
        """Look at the number again."""
        self._changed.set()
        self.on_change()

    async def one_free(self, stop: asyncio.Event) -> bool:
        """Wait for a free slot; False when stopped first."""
        while not self.free and not stop.is_set():
            self._changed.clear()
            await first(self._changed.wait(), stop.wait())
        return not stop.is_set()
