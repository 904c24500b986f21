"""Ending well: the first signal asks, the second or a deadline insists."""

from __future__ import annotations

import asyncio
import signal


class Shutdown:
    """Two events in order: `soft` (take no more work, finish what runs) and `hard` (hand back what runs, now)."""

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        """Seconds from the first signal until `hard` is set by itself."""
        self.soft = asyncio.Event()
        self.hard = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def install(self) -> None:
        """Listen to SIGTERM and SIGINT in the running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.request)

    def request(self) -> None:
        """What a signal does; callable by anything else that must end the process."""
        if self.soft.is_set():
            self.hard.set()
        else:
            self.soft.set()
            self._timer = asyncio.get_running_loop().call_later(self.deadline_s, self.hard.set)
