"""The one thread that an engine lives in: device contexts belong to the thread that made them."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class EngineThread:
    """Runs calls one after another. A daemon, so that an engine that never returns cannot keep the process alive."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """`function(*arguments)` in the thread; its exception is raised here. Cancelling the wait does not stop it."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            try:
                value = function(*arguments)
            except BaseException as fault:  # noqa: BLE001  carried to the caller, whatever it is
                loop.call_soon_threadsafe(_fail, result, fault)
            else:
                loop.call_soon_threadsafe(_succeed, result, value)

        self._calls.put(run)
        return await result

    def stop(self) -> None:
        """End after the calls already made."""
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()


def _succeed(result: asyncio.Future[T], value: T) -> None:
    if not result.done():
        result.set_result(value)


def _fail(result: asyncio.Future[Any], fault: BaseException) -> None:
    if not result.done():
        result.set_exception(fault)
