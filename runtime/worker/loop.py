"""The job loop: pull only into a free slot, run each delivery in its own task, stop softly, then hard."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import structlog

from runtime.messaging.cancel_signals import cancel_signals
from runtime.messaging.connection import Bus
from runtime.messaging.job_queue import JobQueue
from runtime.process.shutdown import Shutdown
from runtime.process.waiting import first
from runtime.worker.cancellation import StopReason
from runtime.worker.execution import Execution
from runtime.worker.handler import Handler
from runtime.worker.slots import Slots

log = structlog.get_logger()

REMEMBERED_CANCELS = 1000
HAND_BACK_S = 10.0
"""Seconds that an engine gets to reach its next step once its job must go back; then the process leaves it behind."""


class JobLoop:
    """Runs the jobs of one pool through one handler: as many at a time as it computes at once, `slots` at least."""

    def __init__(
        self, bus: Bus, pool: str, worker: str, handler: Handler[Any], slots: int, *, priority: int = 0
    ) -> None:
        self._bus = bus
        self._pool = pool
        self._worker = worker
        self._handler = handler
        self._priority = priority
        self._running: dict[str, Execution] = {}
        self._cancelled: deque[str] = deque(maxlen=REMEMBERED_CANCELS)
        """Jobs whose cancellation came while none of them ran here; one may be on its way to us."""
        self.slots = Slots(lambda: max(slots, handler.slots))

    async def run(self, shutdown: Shutdown) -> None:
        """Take jobs until the soft stop; return when every job taken is settled or handed back."""
        subjects = self._bus.subjects
        consumer = subjects.consumer(self._pool)
        queue = JobQueue(self._bus, subjects.jobs_stream, consumer, shutdown.soft, self._priority)
        tasks: set[asyncio.Task[None]] = set()
        async with cancel_signals(self._bus, self._pool, self._cancel):
            async with queue.open():
                while await self.slots.one_free(shutdown.soft):
                    delivery = await queue.next()
                    if delivery is None:
                        break
                    self.slots.take()
                    execution = Execution(self._bus, self._worker, self._handler, delivery, self.slots.give)
                    self._running[execution.job_id] = execution
                    if execution.job_id in self._cancelled:
                        execution.token.set(StopReason.ENDED)
                    task = asyncio.create_task(self._supervise(execution))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
            await self._finish(tasks, shutdown)

    async def _supervise(self, execution: Execution) -> None:
        try:
            await execution.run()
        except Exception:  # a fault of ours must not end the worker; the delivery comes back after the ack-wait
            log.exception("an execution broke", job_id=execution.job_id)
        finally:
            if self._running.get(execution.job_id) is execution:
                del self._running[execution.job_id]

    async def _finish(self, tasks: set[asyncio.Task[None]], shutdown: Shutdown) -> None:
        """Let running jobs end; at the hard stop tell them to go back, and leave what does not listen."""
        if not tasks:
            return
        log.info("stopping: waiting for running jobs", jobs=len(tasks))
        await first(asyncio.wait(tasks), shutdown.hard.wait())
        if tasks:
            for execution in list(self._running.values()):
                execution.token.set(StopReason.HAND_BACK)
            await asyncio.wait(tasks, timeout=HAND_BACK_S)
        for execution in list(self._running.values()):
            await execution.abandon()

    def _cancel(self, job_id: str) -> None:
        if execution := self._running.get(job_id):
            execution.token.set(StopReason.ENDED)
        else:
            self._cancelled.append(job_id)
