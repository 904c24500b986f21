"""The thread that an engine lives in: device contexts belong to the thread that made them."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class EngineThread:
    """Runs calls one after another, or `most` at once for an engine that says that it may be called so.

    Daemons, so that an engine that never returns cannot keep the process alive.
    """

    def __init__(self, most: int = 1) -> None:
        self._most = most
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._running = 0
        """Calls made and not ended; of the event loop."""

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """`function(*arguments)` in a thread; its exception is raised here. Cancelling the wait does not stop it."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            try:
                value = function(*arguments)
            except BaseException as fault:  # noqa: BLE001  carried to the caller, whatever it is
                loop.call_soon_threadsafe(self._fail, result, fault)
            else:
                loop.call_soon_threadsafe(self._succeed, result, value)

        self._running += 1
        self._add_thread()
        self._calls.put(run)
        return await result

    def stop(self) -> None:
        """End after the calls already made."""
        for _ in self._threads:
            self._calls.put(None)

    def _add_thread(self) -> None:
        if len(self._threads) < min(self._running, self._most):
            thread = threading.Thread(target=self._work, name="engine", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # not to hold its pictures while waiting for the next

    def _succeed(self, result: asyncio.Future[T], value: T) -> None:
        self._running -= 1
        if not result.done():
            result.set_result(value)

    def _fail(self, result: asyncio.Future[Any], fault: BaseException) -> None:
        self._running -= 1
        if not result.done():
            result.set_exception(fault)
