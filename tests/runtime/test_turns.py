"""Who uses an engine together, who waits, and in which order; and how many jobs a worker takes."""

from __future__ import annotations

import asyncio
import contextlib

from runtime.worker.images.turns import Turns
from runtime.worker.slots import Slots


class _Visitors:
    """Take turns and stay until they are told to go."""

    def __init__(self) -> None:
        self._turns = Turns()
        self.inside: list[str] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._leave: dict[str, asyncio.Event] = {}

    async def come(self, name: str, group: str = "", share: float = 1.0) -> None:
        self._leave[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._visit(name, group, share))
        await self._settle()

    async def _visit(self, name: str, group: str, share: float) -> None:
        async with self._turns.take(group, lambda: share):
            self.inside.append(name)
            await self._leave[name].wait()
            self.inside.remove(name)

    async def go(self, name: str) -> None:
        self._leave[name].set()
        await self._tasks.pop(name)
        await self._settle()

    async def give_up(self, name: str) -> None:
        self._tasks[name].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._tasks.pop(name)
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def test_requests_of_one_model_are_in_together_as_far_as_they_fit() -> None:
    visitors = _Visitors()
    for name in ("a", "b", "c"):
        await visitors.come(name, "pocket", 0.5)
    assert visitors.inside == ["a", "b"]
    await visitors.go("a")
    assert visitors.inside == ["b", "c"]


async def test_another_model_waits_and_those_after_it_wait_behind() -> None:
    visitors = _Visitors()
    await visitors.come("a", "pocket", 0.1)
    await visitors.come("b", "large", 0.1)
    await visitors.come("c", "pocket", 0.1)
    assert visitors.inside == ["a"]
    await visitors.go("a")
    assert visitors.inside == ["b"]
    await visitors.go("b")
    assert visitors.inside == ["c"]


async def test_what_changes_the_engine_is_alone() -> None:
    visitors = _Visitors()
    await visitors.come("a", "pocket", 0.1)
    await visitors.come("unload", share=0.1)
    await visitors.come("load", share=0.1)
    assert visitors.inside == ["a"]
    await visitors.go("a")
    assert visitors.inside == ["unload"]


async def test_a_request_larger_than_the_device_comes_in_alone() -> None:
    visitors = _Visitors()
    await visitors.come("a", "pocket", 3.0)
    await visitors.come("b", "pocket", 0.1)
    assert visitors.inside == ["a"]


async def test_who_gives_up_waiting_holds_nobody_up() -> None:
    visitors = _Visitors()
    await visitors.come("a", "pocket", 0.1)
    await visitors.come("b", "large")
    await visitors.come("c", "pocket", 0.1)
    await visitors.give_up("b")
    assert visitors.inside == ["a", "c"]


async def test_a_slot_that_is_added_is_noticed_by_who_waits_for_one() -> None:
    count, stop = 1, asyncio.Event()
    slots = Slots(lambda: count)
    slots.take()
    assert (slots.count, slots.free) == (1, 0)
    free = asyncio.create_task(slots.one_free(stop))
    count = 2
    slots.refresh()
    assert await asyncio.wait_for(free, 10)


async def test_slots_taken_away_stay_with_those_who_have_them() -> None:
    count, stop = 2, asyncio.Event()
    slots = Slots(lambda: count)
    slots.take()
    slots.take()
    count = 1
    assert slots.free == 0
    free = asyncio.create_task(slots.one_free(stop))
    slots.give()
    await asyncio.sleep(0)
    assert (slots.free, free.done()) == (0, False)
    stop.set()
    assert not await asyncio.wait_for(free, 10)
