"""Asking workers to bring models into memory, to give them back, and to move to another device."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from contracts.errors import EaselError, ErrorCode
from contracts.workers import WorkerPresence
from gateway.devices import device_is, on_device
from gateway.lifespan import BusLink
from gateway.resolve import choose_model
from gateway.routing import offered_models
from gateway.settings import GatewaySettings
from runtime.messaging.preparation import OnStage, prepare, unload

CheckMove = Callable[[], None]
"""Called before a worker is moved to another device, for everybody; raises where the caller may not have that done."""


class Loading:
    """One for each gateway process."""

    def __init__(self, link: BusLink, settings: GatewaySettings) -> None:
        self._link = link
        self._settings = settings

    async def load(
        self, model: str, worker: str, device: str, check_move: CheckMove, on_stage: OnStage | None = None
    ) -> str:
        """Have `model` in the memory of one worker, on `device`; the worker's id.

        Without `worker`, one on the device is preferred, then one that has it already, then one with many free slots.

        Raises:
            EaselError: MODEL_NOT_FOUND, NOT_FOUND; as `check_move` and `runtime.messaging.preparation.prepare`.
        """

        def suits(it: WorkerPresence) -> tuple[bool, bool, int]:
            return device_is(it.device, device or "auto"), model in it.loaded, it.free_slots

        chosen = max(self._offering(model, worker), key=suits)
        there = device_is(chosen.device, device or "auto")
        if not there:
            check_move()
        await prepare(self._link.backend.bus, chosen.id, model, "" if there else device, on_stage)
        return chosen.id

    async def unload(self, model: str, worker: str = "") -> tuple[str, ...]:
        """Have `model` out of the memory of one worker, or of every one that has it; their ids.

        Raises:
            EaselError: MODEL_NOT_FOUND, NOT_FOUND; as `runtime.messaging.preparation.unload`.
        """
        holding = [it.id for it in self._offering(model, worker) if worker or model in it.loaded]
        await asyncio.gather(*(unload(self._link.backend.bus, it, model) for it in holding))
        return tuple(holding)

    async def select_device(self, device: str, check_move: CheckMove) -> None:
        """Have the default model in memory on a device; where no worker runs on it, one that can moves there.

        Raises:
            EaselError: UNSUPPORTED, no worker of its own is there and none can move, with the devices there are; as
                `check_move` and `runtime.messaging.preparation.prepare`.
        """
        workers = tuple(worker for worker in self._workers() if worker.models)
        if workers and not any(device_is(it.device, device) for it in workers):
            check_move()
            await self._move(workers, device)
            return
        there = on_device(workers, device)
        model = self._default_model(there)
        if not any(model in it.loaded for it in there):
            able = next(it for it in there if any(offered.id == model for offered in it.models))
            await prepare(self._link.backend.bus, able.id, model)

    async def _move(self, workers: tuple[WorkerPresence, ...], device: str) -> None:
        """Whoever can; alone in its pool, since other workers of the pool would draw elsewhere."""
        model, faults = self._default_model(workers), list[str]()
        for worker in workers:
            alone = sum(it.pool == worker.pool for it in workers) == 1
            if alone and any(offered.id == model for offered in worker.models):
                try:
                    await prepare(self._link.backend.bus, worker.id, model, device)
                except EaselError as fault:
                    if fault.code is ErrorCode.ENGINE_FAILED:
                        faults.append(fault.message)
                    elif fault.code is not ErrorCode.UNSUPPORTED:
                        raise
                else:
                    return
        have = ", ".join(sorted({worker.device for worker in workers}))
        said = f"no worker runs on {device!r}; there are: {have}"
        raise EaselError(ErrorCode.UNSUPPORTED, "; ".join([said, *faults[:1]]), param="device")

    def _default_model(self, workers: Iterable[WorkerPresence]) -> str:
        offered = [model for model, _ in offered_models(workers).values()]
        return choose_model(None, offered, self._settings).id

    def _workers(self) -> tuple[WorkerPresence, ...]:
        return self._link.backend.roster.workers()

    def _offering(self, model: str, worker: str) -> list[WorkerPresence]:
        workers = self._workers()
        if worker and worker not in {it.id for it in workers}:
            have = ", ".join(it.id for it in workers) or "none"
            raise EaselError(ErrorCode.NOT_FOUND, f"no worker {worker!r}; there are: {have}", param="worker")
        asked = [it for it in workers if worker in ("", it.id)]
        found = [it for it in asked if any(offered.id == model for offered in it.models)]
        if not found:
            have = ", ".join(offered_models(asked)) or "none"
            said = f"no worker offers the model {model!r}; there are: {have}"
            raise EaselError(ErrorCode.MODEL_NOT_FOUND, said, param="model")
        return found
