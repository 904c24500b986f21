"""Hypothesis state machines on a real bus: each example has a connection, an event loop and a pool of its own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from contracts.jobs import SUCCESSORS, Job, JobRecord, JobState
from runtime.messaging.connection import Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.settings import BusSettings
from runtime.messaging.topology import declare, declare_pool
from tests.support import builders

T = TypeVar("T")
PATIENCE_S = 20.0
_pools = itertools.count()


class OnTheBus(RuleBasedStateMachine):
    """Jobs, and what everybody who looks may see of them: legal moves, and an end that stands."""

    settings: ClassVar[BusSettings]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.pool = f"pool{next(_pools)}"
        self.jobs: dict[str, Job] = {}
        self.seen: dict[str, JobRecord] = {}
        """As each job was when it was looked at last."""
        self._exit = contextlib.AsyncExitStack()
        self.run(self.open())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        async def patiently() -> T:
            async with asyncio.timeout(PATIENCE_S):
                return await coroutine

        return self.runner.run(patiently())

    async def open(self) -> None:
        self.bus = await self._exit.enter_async_context(Bus.connect(self.settings, "machine"))
        await declare(self.bus)
        await declare_pool(self.bus, self.pool)
        self.client = JobClient(self.bus, "machine-gateway")

    async def submit_job(self) -> str:
        job = builders.job(pool=self.pool)
        self.jobs[job.id] = job
        await self.client.submit(job)
        return job.id

    async def look(self) -> None:
        """Look at every job; no look may contradict the one before it."""
        for job_id in self.jobs:
            record = await self.client.record(job_id)
            assert record is not None, "lost"
            assert (record.outcome is not None) == record.state.is_terminal
            if (before := self.seen.get(job_id)) is not None:
                assert record.state in _reachable(before.state), (before.state, record.state)
                assert before.outcome in (None, record.outcome), "an end that did not stand"
            self.seen[job_id] = record

    async def outcomes_kept(self, job_id: str) -> int:
        subjects = self.bus.subjects
        found = await self.bus.read(subjects.outcomes_stream, seq=1, next_by_subj=subjects.stored_outcome(job_id))
        return len(found)

    def teardown(self) -> None:
        try:
            self.run(self._exit.aclose())
        finally:
            self.runner.close()


def _reachable(state: JobState) -> set[JobState]:
    """Where a job may be that was in `state` before, however many moves nobody saw."""
    found = {state}
    while more := {after for known in found for after in SUCCESSORS[known]} - found:
        found |= more
    return found


def run_machine(machine: type[OnTheBus], bus_settings: BusSettings, examples: int, steps: int) -> None:
    """Let hypothesis drive a machine in the namespace of one test."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),  # what a real bus did cannot be made smaller by repeating
        suppress_health_check=list(HealthCheck),
    )
    bound = type(machine.__name__, (machine,), {"settings": bus_settings})
    run_state_machine_as_test(bound, settings=chosen)
