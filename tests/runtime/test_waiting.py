"""A cancellation arrives whatever else happens in that moment."""

from __future__ import annotations

import asyncio

import pytest

from runtime.process.waiting import first, keep_cancellations, until


async def both_at_once(task: asyncio.Task[object], happen: object) -> None:
    """Let `task` begin to wait; then what it waits for happens, and it is cancelled, before it can run again."""
    await asyncio.sleep(0)
    happen()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_that_comes_with_the_event_is_kept() -> None:
    event = asyncio.Event()
    await both_at_once(asyncio.create_task(until(event, 60)), event.set)


async def test_libraries_that_wait_with_wait_for_keep_it_too() -> None:
    keep_cancellations()
    answer = asyncio.get_running_loop().create_future()

    async def ask() -> object:
        return await asyncio.wait_for(answer, 60)

    await both_at_once(asyncio.create_task(ask()), lambda: answer.set_result("late"))


async def test_an_event_is_waited_for_as_long_as_said() -> None:
    event = asyncio.Event()
    assert not await until(event, 0.01)
    event.set()
    assert await until(event, 60)
    assert await until(event, 0), "what has happened needs no wait"


async def test_of_several_waits_the_first_ends_them_all_but_what_is_shielded() -> None:
    event, other, going_on = asyncio.Event(), asyncio.get_running_loop().create_future(), asyncio.Event()
    task = asyncio.create_task(going_on.wait())
    event.set()
    await first(event.wait(), other, asyncio.shield(task))
    assert other.cancelled()
    assert not task.done()
    going_on.set()
    assert await task


async def test_a_cancellation_ends_all_waits() -> None:
    other = asyncio.get_running_loop().create_future()
    event = asyncio.Event()
    await both_at_once(asyncio.create_task(first(event.wait(), other)), event.set)
    assert other.cancelled()
