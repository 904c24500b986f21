"""What goes wrong, drawn from a seed: the same seed draws the same faults for the same victims."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import secrets
import signal
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError

from contracts.errors import EaselError
from runtime.messaging.connection import NANOSECONDS, Bus, BusError
from runtime.messaging.job_queue import PRIORITY_GROUP
from tests.soak.processes import Member, System

KILLS = {"kill worker": 80, "kill gateway": 10, "kill nats-server": 10}
OTHERS = {
    "pause worker": 8,  # longer than the ack-wait: the job is delivered a second time, and the sleeper wakes up
    "pause gateway": 2,
    "pause nats-server": 2,
    "slow link": 5,
    "cut link": 5,
    "silent link": 5,
    "hold and reorder": 5,
    "repeat": 5,
}
OTHERS_PER_KILL = 0.35


class Fault(NamedTuple):
    """One fault."""

    kind: str
    victim: int
    """Which process or link, modulo how many there are."""
    lasts_s: float
    pause_s: float
    """Before the next one."""

    @property
    def kills(self) -> bool:
        return self.kind in KILLS


def draw(seed: int, kills: int) -> list[Fault]:
    """As many faults as it takes for `kills` deaths."""
    dice, found, deaths = random.Random(seed), list[Fault](), 0
    while deaths < kills:
        choices = OTHERS if dice.random() < OTHERS_PER_KILL / (1 + OTHERS_PER_KILL) else KILLS
        kind = dice.choices(list(choices), weights=list(choices.values()))[0]
        # others last beside the kills that follow them
        pause_s = dice.uniform(0.05, 0.6) if choices is KILLS else 0.05
        found.append(Fault(kind, dice.randrange(1000), dice.uniform(0.2, 3.0), pause_s))
        deaths += choices is KILLS
    return found


async def strike(system: System, bus: Bus, fault: Fault) -> None:
    """Let it happen; returns when it is over."""
    await _STRIKES[fault.kind](system, bus, fault)


def _kill(kind: str) -> Callable[[System, Bus, Fault], Awaitable[None]]:
    async def strike(system: System, _: Bus, fault: Fault) -> None:
        await asyncio.to_thread(_member(system, kind, fault).kill_and_restart)

    return strike


def _pause(kind: str) -> Callable[[System, Bus, Fault], Awaitable[None]]:
    async def strike(system: System, _: Bus, fault: Fault) -> None:
        member = _member(system, kind, fault)
        member.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            member.send(signal.SIGCONT)

    return strike


def _member(system: System, kind: str, fault: Fault) -> Member:
    of = {"worker": system.workers, "gateway": system.gateways, "nats-server": [system.nats]}[kind]
    return of[fault.victim % len(of)]


async def _slow(system: System, _: Bus, fault: Fault) -> None:
    link = system.links[fault.victim % len(system.links)]
    link.delay_s = fault.lasts_s / 10
    await asyncio.sleep(fault.lasts_s)
    link.delay_s = 0.0


async def _cut(system: System, _: Bus, fault: Fault) -> None:
    link = system.links[fault.victim % len(system.links)]
    await link.cut()
    await asyncio.sleep(fault.lasts_s)
    await link.mend()


async def _silence(system: System, _: Bus, fault: Fault) -> None:
    link = system.links[fault.victim % len(system.links)]
    link.silence()
    await asyncio.sleep(fault.lasts_s)
    link.speak()


async def _hold(_: System, bus: Bus, fault: Fault) -> None:
    """Take jobs as a worker does, sit on them past the ack-wait or not, and hand them back last first."""
    inbox = bus.client.new_inbox()
    taken = await bus.client.subscribe(inbox)
    request = {"batch": 3, "expires": NANOSECONDS, "group": PRIORITY_GROUP, "priority": 0}
    verb = f"$JS.API.CONSUMER.MSG.NEXT.{bus.subjects.jobs_stream}.{bus.subjects.consumer('fake')}"
    held: list[Msg] = []
    with contextlib.suppress(NatsError, TimeoutError):
        await bus.client.publish(verb, json.dumps(request).encode(), reply=inbox)
        while len(held) < 3:
            message = await taken.next_msg(timeout=1.5)
            if (message.headers or {}).get("Status"):
                break
            held.append(message)
    await asyncio.sleep(fault.lasts_s)
    with contextlib.suppress(NatsError):
        for message in reversed(held):
            await message.nak()
        await taken.unsubscribe()


async def _repeat(_: System, bus: Bus, fault: Fault) -> None:
    """Put jobs into the queue a second time, now and again when they may have ended."""
    with contextlib.suppress(BusError, EaselError, NatsTimeoutError):
        waiting = await bus.read(bus.subjects.jobs_stream, seq=1, next_by_subj=bus.subjects.job("*", "*"), batch=3)
        for pause_s in (0.0, fault.lasts_s):
            await asyncio.sleep(pause_s)
            for message in waiting:
                await bus.store(message.subject, message.data, message_id=secrets.token_hex(8), patience_s=2)


_STRIKES: dict[str, Callable[[System, Bus, Fault], Awaitable[None]]] = {
    "kill worker": _kill("worker"),
    "kill gateway": _kill("gateway"),
    "kill nats-server": _kill("nats-server"),
    "pause worker": _pause("worker"),
    "pause gateway": _pause("gateway"),
    "pause nats-server": _pause("nats-server"),
    "slow link": _slow,
    "cut link": _cut,
    "silent link": _silence,
    "hold and reorder": _hold,
    "repeat": _repeat,
}
