"""Every delivery is settled once and every job ends once, whatever happens to workers and clients on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from contracts.errors import EaselError, ErrorCode
from contracts.events import Finished
from contracts.images import ImageRef, ModelInfo
from contracts.jobs import Job, JobState
from runtime.messaging.job_queue import Delivery, JobQueue
from runtime.messaging.settings import BusSettings
from runtime.worker.cancellation import StopReason
from runtime.worker.execution import Execution
from runtime.worker.handler import JobCancelled, OnStep
from tests.support.machines import OnTheBus, run_machine

WHICH = st.integers(0, 9)
"""Of those that there are: the order in which the bus delivers is not hypothesis' to know."""


class Watched(Delivery):
    """Counts its settlements."""

    settled: tuple[str, ...] = ()

    async def ack(self) -> None:
        self.settled += ("ack",)
        await super().ack()

    async def nak(self, delay_s: float = 0.0) -> None:
        self.settled += ("nak",)
        await super().nak(delay_s)

    async def taken_back(self) -> None:
        """What the server does with the delivery of a worker that is not heard of: it goes to another."""
        await super().nak()


class Waiting:
    """A handler whose computations end when and how the machine says."""

    models: tuple[ModelInfo, ...] = ()
    loaded: tuple[str, ...] = ()
    device, slots = "none", 1

    def __init__(self) -> None:
        self.computing = asyncio.Event()
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_step: OnStep | None = None
        self.forgotten = 0

    async def start(self) -> None: ...

    async def compute(self, job: Job, on_step: OnStep) -> None:
        self.on_step = on_step
        self.computing.set()
        await self.end

    async def deliver(self, job: Job, attempt: int, computed: None) -> tuple[ImageRef, ...]:
        return ()

    def settled(self, job_id: str) -> None:
        self.forgotten += 1

    async def close(self) -> None: ...


class Attempt:
    """One execution under way."""

    def __init__(self, machine: Settling, delivery: Watched) -> None:
        self.delivery, self.handler, self.slots_given = delivery, Waiting(), 0
        self.held = True
        """Whether the server counts on it."""
        self.execution = Execution(machine.bus, "worker", self.handler, delivery, self._give)
        self.task = asyncio.create_task(self.execution.run())

    def _give(self) -> None:
        self.slots_given += 1

    async def begun(self) -> None:
        """Until it computes, or has found that there is nothing to do."""
        computing = asyncio.ensure_future(self.handler.computing.wait())
        await asyncio.wait({computing, self.task}, return_when=asyncio.FIRST_COMPLETED)
        computing.cancel()


class Settling(OnTheBus):
    """Workers' executions against the real bus, and a plain account of which jobs must still come."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        super().__init__()

    async def open(self) -> None:
        await super().open()
        subjects = self.bus.subjects
        self.queue = JobQueue(self.bus, subjects.jobs_stream, subjects.consumer(self.pool), asyncio.Event(), 0)
        await self._exit.enter_async_context(self.queue.open())

    def ended(self, job_id: str) -> bool:
        return self.seen[job_id].state.is_terminal

    def to_come(self) -> list[str]:
        """Jobs that the server must deliver."""
        held = {attempt.execution.job_id for attempt in self.attempts if attempt.held}
        return [job_id for job_id in self.jobs if not self.ended(job_id) and job_id not in held]

    @rule()
    def submit(self) -> None:
        if len(self.jobs) < 4:
            self.run(self.submit_job())

    @rule()
    def take(self) -> None:
        if self.to_come():
            self.run(self._take())

    async def _take(self) -> None:
        delivery = await self.queue.next()
        assert delivery is not None
        had_ended = delivery.attempt > 1 and (await self.client.outcomes([delivery.job_id])) != {}
        attempt = Attempt(self, Watched(delivery._message))
        self.attempts.append(attempt)
        await attempt.begun()
        assert not (had_ended and attempt.handler.computing.is_set()), "drawn although it had ended"
        if attempt.task.done():
            await self._check(attempt)

    @rule(
        which=WHICH,
        how=st.sampled_from(["succeeds", "fails", "breaks", "is handed back", "hears that it ended", "takes a step"]),
    )
    def goes_on(self, which: int, how: str) -> None:
        if self.attempts:
            self.run(self._goes_on(self.attempts[which % len(self.attempts)], how))

    async def _goes_on(self, attempt: Attempt, how: str) -> None:
        end, token = attempt.handler.end, attempt.execution.token
        match how:
            case "takes a step":
                assert attempt.handler.on_step
                attempt.handler.on_step(1, 4)
                return
            case "succeeds":
                end.set_result(None)
            case "fails":
                end.set_exception(EaselError(ErrorCode.ENGINE_FAILED, "no"))
            case "breaks":
                end.set_exception(RuntimeError("no"))
            case "is handed back":
                token.set(StopReason.HAND_BACK)
                end.set_exception(JobCancelled())
            case "hears that it ended":
                await self.client.cancel(attempt.execution.job_id)
                token.set(StopReason.ENDED)
                end.set_exception(JobCancelled())
        await attempt.task
        await self._check(attempt)

    async def _check(self, attempt: Attempt) -> None:
        self.attempts.remove(attempt)
        assert attempt.delivery.settled in {("ack",), ("nak",)}
        assert (attempt.slots_given, attempt.handler.forgotten) == (1, 1)
        record = await self.client.record(attempt.execution.job_id)
        assert record is not None
        if attempt.delivery.settled == ("ack",):
            assert record.state.is_terminal, "removed before it had ended"

    @rule(which=WHICH, lives_on=st.booleans())
    def is_not_heard_of(self, which: int, lives_on: bool) -> None:
        """The server gives the job to another; the worker is dead, or does not know yet."""
        if held := [attempt for attempt in self.attempts if attempt.held]:
            self.run(self._taken_back(held[which % len(held)], lives_on))

    async def _taken_back(self, attempt: Attempt, lives_on: bool) -> None:
        attempt.held = False
        if not lives_on:
            attempt.task.cancel()
            await asyncio.wait([attempt.task])
            self.attempts.remove(attempt)
        await attempt.delivery.taken_back()
        await self.bus.client.flush()

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        if not self.jobs:
            return
        job_id = list(self.jobs)[which % len(self.jobs)]
        before = self.seen[job_id]
        record = self.run(self.client.cancel(job_id))
        assert record is not None
        assert record.outcome == before.outcome if before.outcome else record.state is JobState.CANCELLED

    @invariant()
    def everybody_sees_the_same(self) -> None:
        self.run(self.look())

    def teardown(self) -> None:
        try:
            self.run(self._finish())
        finally:
            super().teardown()

    async def _finish(self) -> None:
        """All that is left is drawn; then each job has one end, one history, and no work that waits."""
        while self.attempts or await self._work_left():
            for attempt in list(self.attempts):
                await self._goes_on(attempt, "succeeds")
            if await self._work_left():  # of a job that has ended, too: its next taker finds the end and lets it go
                await self._take()
        for job_id in self.jobs:
            assert await self.outcomes_kept(job_id) == 1
            async with self.client.follow(job_id) as events:
                told = [event async for event in events]
            assert [event.id for event in told] == sorted({event.id for event in told})
            assert [event for event in told if isinstance(event, Finished)] == told[-1:]

    async def _work_left(self) -> bool:
        subjects = self.bus.subjects
        return bool(await self.bus.read(subjects.jobs_stream, seq=1, next_by_subj=subjects.job(self.pool, "*")))


def test_every_delivery_is_settled_once_and_every_job_ends_once(bus: Any, bus_settings: BusSettings) -> None:
    """More deliveries than a run has, so that the server gives up on none."""
    run_machine(Settling, msgspec.structs.replace(bus_settings, max_deliver=50, ack_wait_s=30.0), 25, 30)
