"""Keeps what a submission needs besides the jobs stream on another server than the one that leads that.

The server that leads the jobs may die; the intake, which then takes them, and the callers' accounts, which are charged
first, must not lose their leader with it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from contracts.subjects import MOVER
from runtime.messaging.connection import Bus, BusError
from runtime.process.waiting import until

log = structlog.get_logger()

PAUSE_S = 10.0
"""Between two looks."""


class LeaderKeeper:
    """Run one in each gateway of a cluster; they do no harm to each other."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        subjects = bus.subjects
        self._apart = (
            ("STREAM", subjects.intake_stream),
            ("CONSUMER", f"{subjects.intake_stream}.{MOVER}"),
            ("STREAM", subjects.callers_stream),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set.

        Raises:
            EaselError, BusError: the bus does not answer; the caller begins anew.
        """
        while not stop.is_set():
            await self.look()
            await until(stop, PAUSE_S)

    async def look(self) -> None:
        """Once: have those step down that are led by the server that leads the jobs.

        Raises:
            EaselError, BusError: as `run`.
        """
        jobs = await self._cluster("STREAM", self._bus.subjects.jobs_stream)
        for kind, name in self._apart:
            led = await self._cluster(kind, name)
            heir = _heir(led)
            if heir and led.get("leader") == jobs.get("leader"):
                await self._hand_over(kind, name, heir)

    async def _cluster(self, kind: str, name: str) -> dict[str, Any]:
        info = await self._bus.api(f"{kind}.INFO.{name}")
        found: dict[str, Any] = info.get("cluster") or {}
        return found

    async def _hand_over(self, kind: str, name: str, heir: str) -> None:
        try:
            await self._bus.api(f"{kind}.LEADER.STEPDOWN.{name}", {"placement": {"preferred": heir}})
        except BusError as fault:  # another gateway was first, or the heir has just gone; there is a next look
            log.info("no change of leader", name=name, to=heir, fault=str(fault))
        else:
            log.info("leader changed: it led the jobs too", name=name, to=heir)


def _heir(led: dict[str, Any]) -> str:
    """A server whose copy is up to date; all gateways name the same one."""
    copies = led.get("replicas") or []
    return min((copy["name"] for copy in copies if copy.get("current") and not copy.get("offline")), default="")
