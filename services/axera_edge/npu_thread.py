"""The one thread that talks to the card. Whoever wants it waits in one queue, first come, first served."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class NpuBusyError(Exception):
    """The turn did not come within the time that the caller had."""


class NpuThread:
    """Runs calls one after another. A daemon: a card that never answers cannot keep the process alive."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._sign_of_life: float | None = None
        """When the call at work last made progress; None while idle. Written by the thread alone."""
        self._thread = threading.Thread(target=self._work, name="npu", daemon=True)
        self._thread.start()

    def run(self, function: Callable[[], T], wait_s: float | None = None) -> T:
        """`function()` in the thread; its exception is raised here. Blocks the caller.

        Raises:
            NpuBusyError: it was not begun in `wait_s` seconds, and never will be.
        """
        begun, result = threading.Event(), Future[T]()

        def call() -> None:
            if not result.set_running_or_notify_cancel():
                return
            begun.set()
            try:
                result.set_result(function())
            except BaseException as fault:  # noqa: BLE001  carried to the caller, whatever it is
                result.set_exception(fault)

        self._calls.put(call)
        if not begun.wait(wait_s) and result.cancel():
            raise NpuBusyError
        return result.result()

    def progress(self) -> None:
        """To be called from inside a call whenever the card has answered."""
        self._sign_of_life = time.monotonic()

    @property
    def busy(self) -> bool:
        """Whether a call is at work."""
        return self._sign_of_life is not None

    @property
    def silent_s(self) -> float:
        """Seconds since the call at work last made progress; 0 while idle."""
        last = self._sign_of_life
        return 0.0 if last is None else time.monotonic() - last

    def stop(self) -> None:
        """End after the calls already made."""
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            self.progress()
            call()
            self._sign_of_life = None
