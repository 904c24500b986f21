"""What is told of a job, by any number of attempts at once, reads as one history with one end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from contracts.events import END, EventId, Finished, JobEvent, Progress, Queued, Released, Started
from contracts.jobs import JobOutcome, JobState
from runtime.messaging.job_events import publish_event, store_outcome
from runtime.messaging.queued_jobs import remove_job
from runtime.messaging.settings import BusSettings
from tests.support.machines import OnTheBus, run_machine

ENDS = st.sampled_from([JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED])


class Telling(OnTheBus):
    """One job; attempts tell of it in any order, those that were replaced too. A client follows from the beginning."""

    async def open(self) -> None:
        await super().open()
        self.job_id = await self.submit_job()
        self.told: list[JobEvent] = []
        self.numbers: dict[int, int] = {}
        """Events that each attempt has told."""
        self.steps: dict[int, int] = {}
        self.first_end: JobOutcome | None = None
        events = await self._exit.enter_async_context(self.client.follow(self.job_id))
        self.following = asyncio.create_task(self._follow(events))
        self._exit.push_async_callback(self._left)

    async def _follow(self, events: AsyncIterator[JobEvent]) -> None:
        async for event in events:
            self.told.append(event)

    async def _left(self) -> None:
        self.following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.following

    def next_id(self, attempt: int) -> EventId:
        number = self.numbers.get(attempt, 0)
        self.numbers[attempt] = number + 1
        return EventId(attempt, number)

    @rule()
    def a_worker_takes_it(self) -> None:
        if len(self.numbers) < 4:
            attempt = len(self.numbers) + 1
            self.publish(Started(id=self.next_id(attempt), at=time.time(), worker=f"w{attempt}"))

    @rule(which=st.integers(0, 3))
    def a_step_ends(self, which: int) -> None:
        if attempt := self.attempt(which):
            self.steps[attempt] = step = self.steps.get(attempt, 0) + 1
            told = {"id": self.next_id(attempt), "at": time.time(), "worker": f"w{attempt}", "started_at": 1.0}
            self.publish(Progress(**told, step=step, total_steps=100))

    @rule(which=st.integers(0, 3))
    def it_is_handed_back(self, which: int) -> None:
        if attempt := self.attempt(which):
            self.publish(Released(id=self.next_id(attempt), at=time.time(), worker=f"w{attempt}"))

    @rule(which=st.integers(0, 3), state=ENDS)
    def it_ends(self, which: int, state: JobState) -> None:
        attempt = self.attempt(which)
        outcome = JobOutcome(
            job=self.jobs[self.job_id],
            state=state,
            finished_at=time.time(),
            attempt=attempt,
            last_event=self.numbers.get(attempt, 0) - 1,
        )
        stands = self.run(store_outcome(self.bus, f"w{attempt}", outcome))
        if self.first_end is not None:
            repeated = (attempt, state) == (self.first_end.attempt, self.first_end.state)
            assert stands == repeated, "the first stands, and whoever stored it may ask again"
        else:
            assert stands
            self.first_end = outcome
            self.run(remove_job(self.bus, outcome.job))

    def attempt(self, which: int) -> int:
        """One of those that have begun, replaced or not; 0 for none."""
        return which % len(self.numbers) + 1 if self.numbers else 0

    def publish(self, event: Started | Progress | Released) -> None:
        self.run(publish_event(self.bus, event.worker, self.job_id, event))

    @invariant()
    def everybody_sees_the_same(self) -> None:
        self.run(self.look())

    def teardown(self) -> None:
        try:
            self.it_ends(0, JobState.FAILED)
            self.run(self._check())
        finally:
            super().teardown()

    async def _check(self) -> None:
        await self.following
        assert self.first_end is not None
        assert await self.outcomes_kept(self.job_id) == 1
        assert isinstance(self.told[0], Queued)
        assert [event for event in self.told if isinstance(event, Finished)] == [Finished(outcome=self.first_end)]
        ids = [event.id for event in self.told]
        assert ids[-1] == END
        assert all(before < after for before, after in itertools.pairwise(ids)), ids
        async with self.client.follow(self.job_id) as events:
            late = {event.id async for event in events}
        assert set(ids) <= late, "one who comes late sees no less"
        by_the_end = {EventId(self.first_end.attempt, number) for number in range(self.first_end.last_event + 1)}
        assert by_the_end <= late, "all that the attempt told that ended it"


def test_attempts_that_tell_of_a_job_at_once_make_one_history(bus: Any, bus_settings: BusSettings) -> None:
    run_machine(Telling, msgspec.structs.replace(bus_settings, ack_wait_s=30.0), 30, 25)
