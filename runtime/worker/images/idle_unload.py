"""Models leave the memory of a worker that has had nothing to draw for a while."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator

from runtime.worker.images.engine import ImageEngine, PreparableEngine

CallAlone = Callable[..., Awaitable[None]]
"""Calls a function while the engine draws nothing."""


class IdleUnload:
    """Belongs to the event loop; does nothing with `after_s` 0, or with an engine that cannot give models back."""

    def __init__(self, engine: ImageEngine, call_alone: CallAlone, after_s: float) -> None:
        self._engine = engine if isinstance(engine, PreparableEngine) else None
        self._call_alone = call_alone
        self._after_s = after_s
        self._working = 0
        self._timer: asyncio.TimerHandle | None = None
        self._unloading: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Work that needs the models."""
        self.stop()
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            if self._after_s and self._engine is not None and not self._working:
                self._timer = asyncio.get_running_loop().call_later(self._after_s, self._unload)

    def stop(self) -> None:
        """Forget the time that has passed."""
        if self._timer is not None:
            self._timer.cancel()

    def _unload(self) -> None:
        self._unloading = asyncio.ensure_future(self._call_alone(_unload_all, self._engine))


def _unload_all(engine: PreparableEngine) -> None:
    """While it draws nothing."""
    for model in engine.loaded:
        engine.unload(model)
