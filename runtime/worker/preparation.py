"""A worker that can be asked to get ready, where its handler knows how."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Protocol, runtime_checkable

from contracts.preparation import Preparation, Prepared
from runtime.messaging.connection import Bus
from runtime.messaging.preparation import OnStage, preparations
from runtime.worker.handler import Handler
from runtime.worker.loop import JobLoop


@runtime_checkable
class PreparableHandler(Protocol):
    """A handler that loads, unloads and moves on demand."""

    async def prepare(self, wanted: Preparation, on_stage: OnStage) -> Prepared:
        """Do what is wanted, telling the stages.

        Raises:
            EaselError: it cannot be done; the worker works on.
        """


@contextlib.asynccontextmanager
async def preparing(bus: Bus, worker: str, handler: Handler[Any], loop: JobLoop) -> AsyncIterator[None]:
    """Answer preparations while the block runs, and announce what they changed at once."""
    if bus.settings.restricted or not isinstance(handler, PreparableHandler):
        yield
        return
    preparable: PreparableHandler = handler

    async def handle(wanted: Preparation, on_stage: OnStage) -> Prepared:
        try:
            return await preparable.prepare(wanted, on_stage)
        finally:
            loop.slots.refresh()

    async with preparations(bus, worker, handle):
        yield
