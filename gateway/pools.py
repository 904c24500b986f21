"""Keeps the queues of pools whose workers may not declare them, and empties those that nobody serves any more.

A device has a pool of its own, because its credentials let it take no other's jobs. When it vanishes, what waits there
and what it had in hand goes to another worker that can draw it; without one it waits for the device to come back.
"""

from __future__ import annotations

import asyncio
import time

import structlog

from contracts.errors import EaselError
from contracts.workers import PRESENCE_INTERVAL_S, PRESENCE_TTL_S
from gateway.routing import choose_pool
from runtime.messaging.connection import Bus
from runtime.messaging.presence import Roster
from runtime.messaging.queued_jobs import declared_pools, move_job, waiting_jobs
from runtime.messaging.topology import declare_pool
from runtime.process.waiting import until

log = structlog.get_logger()

PAUSE_S = 0.5
"""Between two looks at who is there: what a new device waits for its first job at most."""


class PoolKeeper:
    """Run one in each gateway; they do no harm to each other."""

    def __init__(self, bus: Bus, roster: Roster, author: str) -> None:
        self._bus = bus
        self._roster = roster
        self._author = author
        self._declared: set[str] = set()
        self._due: dict[str, float] = {}
        """When to look into each pool if nobody serves it, by the monotonic clock."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set.

        Raises:
            EaselError, BusError: the bus does not answer; the caller begins anew.
        """
        known = time.monotonic() + PRESENCE_TTL_S  # until then a worker may be there that was not heard yet
        self._due |= dict.fromkeys(await declared_pools(self._bus), known)
        while not stop.is_set():
            now = time.monotonic()
            live = {worker.pool for worker in self._roster.workers()}
            self._due |= dict.fromkeys(live, now)
            for pool in sorted(live - self._declared):
                await declare_pool(self._bus, pool)
                self._declared.add(pool)
            for pool in [pool for pool, due in self._due.items() if pool not in live and due <= now]:
                await self._empty(pool)
                self._due[pool] = now + PRESENCE_INTERVAL_S
            await until(stop, PAUSE_S)

    async def _empty(self, pool: str) -> None:
        """Move what can be drawn elsewhere."""
        for job in await waiting_jobs(self._bus, pool):
            if job.to_enhance is not None:  # `OverdueEnhancements` sees to it
                continue
            target = choose_pool(job.request, self._roster.workers(), lambda _: 0)
            if target is None:
                continue
            try:
                await move_job(self._bus, self._author, job, target)
            except EaselError as fault:
                log.warning("a job waits for a worker that is gone", job_id=job.id, pool=pool, fault=fault.message)
            else:
                log.info("job moved: nobody serves its pool", job_id=job.id, pool=pool, to=target)
