"""A queue takes exactly its limit, whoever asks at once, and asks the bus no more than it must."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

import pytest

from contracts.errors import EaselError, ErrorCode
from gateway.admission import Admission
from gateway.errors import whole_seconds


@dataclass
class Depth:
    waiting: int
    delivered: int


class Bus:
    """A queue that answers late and takes a while to store, as the real one does."""

    def __init__(self, waiting: int = 0) -> None:
        self.waiting = waiting
        self.delivered = 0
        self.late = 0
        """Jobs that the server which is asked has not counted yet."""
        self.asked = 0
        self.fault: EaselError | None = None
        self.silent = False

    async def depth(self, _pool: str) -> Depth:
        self.asked += 1
        if self.silent:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        if self.fault:
            raise self.fault
        answer = Depth(max(0, self.waiting - self.late), self.delivered)
        await asyncio.sleep(0)
        return answer

    async def store(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        self.waiting += 1

    def deliver(self) -> None:
        self.waiting -= 1
        self.delivered += 1


async def submit(admission: Admission, bus: Bus) -> ErrorCode | None:
    try:
        async with admission.place("pool", 1):
            await bus.store()
    except EaselError as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize("limit", [1, 2, 20, 63, 64, 65])
@pytest.mark.parametrize("waiting", [0, 1, 15])
async def test_64_at_once_take_exactly_the_places_there_are(limit: int, waiting: int) -> None:
    """No more, though none of them knows of the others; no fewer, though some are still on their way."""
    bus = Bus(min(waiting, limit))
    admission = Admission(limit, bus.depth)
    answers = await asyncio.gather(*(submit(admission, bus) for _ in range(64)))
    assert answers.count(None) == min(64, limit - min(waiting, limit))
    assert set(answers) <= {None, ErrorCode.QUEUE_FULL}
    assert bus.waiting <= limit


async def test_waves_of_clients_take_exactly_the_places_there_are() -> None:
    """While earlier questions are still under way."""
    bus = Bus()
    admission = Admission(20, bus.depth)
    tasks = []
    for _ in range(64):
        tasks.append(asyncio.create_task(submit(admission, bus)))
        await asyncio.sleep(0)
    assert (await asyncio.gather(*tasks)).count(None) == 20


async def test_a_crowd_at_a_full_queue_costs_few_questions() -> None:
    """One for those who came before it was sent."""
    bus = Bus(20)
    admission = Admission(20, bus.depth)
    await asyncio.gather(*(submit(admission, bus) for _ in range(64)))
    assert bus.asked <= 2


async def test_with_plenty_of_room_the_bus_is_hardly_asked() -> None:
    """Once a while; the rest is counted here."""
    bus = Bus()
    admission = Admission(1000, bus.depth)
    for _ in range(100):
        assert await submit(admission, bus) is None
    assert bus.asked <= 5


async def test_a_place_that_a_worker_freed_is_given_away_at_once() -> None:
    """A refusal rests on what the bus says now."""
    bus = Bus(5)
    admission = Admission(5, bus.depth)
    assert await submit(admission, bus) is ErrorCode.QUEUE_FULL
    bus.deliver()
    assert await submit(admission, bus) is None
    assert await submit(admission, bus) is ErrorCode.QUEUE_FULL


async def test_a_server_that_is_late_to_count_gives_no_place_away_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was stored a moment ago counts, until a worker has it."""
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: 1.0)  # however slow this machine is
    bus = Bus()
    admission = Admission(20, bus.depth)
    assert await submit(admission, bus) is None
    bus.deliver()
    bus.late = 7
    answers = await asyncio.gather(*(submit(admission, bus) for _ in range(64)))
    assert answers.count(None) == 20
    bus.deliver()
    assert await submit(admission, bus) is None
    assert await submit(admission, bus) is ErrorCode.QUEUE_FULL


async def test_a_server_that_had_its_time_is_believed() -> None:
    """Jobs leave a queue in other ways too: they are cancelled."""
    bus = Bus()
    admission = Admission(2, bus.depth, lag_s=0.0)
    assert [await submit(admission, bus) for _ in range(3)] == [None, None, ErrorCode.QUEUE_FULL]
    bus.waiting = 0
    assert await submit(admission, bus) is None


async def test_a_replica_with_an_old_count_exceeds_the_limit_by_half_the_queue_at_most() -> None:
    """What the other one admitted meanwhile it learns when its own half is full."""
    bus = Bus()
    one, two = Admission(20, bus.depth), Admission(20, bus.depth)
    assert await submit(two, bus) is None
    while await submit(one, bus) is None:
        pass
    assert bus.waiting == 20
    while await submit(two, bus) is None:
        pass
    assert bus.waiting < 30


async def test_pools_do_not_share_their_places() -> None:
    """Each has its own queue."""
    bus = Bus(0)
    admission = Admission(1, bus.depth)
    async with admission.place("one", 1), admission.place("two", 1):
        assert admission.waiting("one") == admission.waiting("two") == 1


@pytest.mark.parametrize("silent", [True, False])
async def test_a_gateway_that_was_never_told_counts_from_nothing_while_the_bus_cannot_tell(silent: bool) -> None:
    """No more than a queue full, and few questions for all who came."""
    bus = Bus(17)
    bus.fault = EaselError(ErrorCode.UNAVAILABLE, "no leader")
    bus.silent = silent
    admission = Admission(6, bus.depth)
    answers = await asyncio.gather(*(submit(admission, bus) for _ in range(8)))
    assert answers.count(None) == 6
    assert answers.count(ErrorCode.QUEUE_FULL) == 2
    assert bus.asked == 2
    bus.fault, bus.silent = None, False
    assert await submit(admission, bus) is ErrorCode.QUEUE_FULL


@pytest.mark.parametrize("silent", [True, False])
async def test_while_the_bus_cannot_tell_the_count_goes_on_from_its_last_answer(silent: bool) -> None:
    """As while a pool elects a leader: what was known to be room is taken, and no more."""
    bus = Bus(17)
    admission = Admission(20, bus.depth)
    assert await submit(admission, bus) is None
    bus.fault = EaselError(ErrorCode.UNAVAILABLE, "no leader")
    bus.silent = silent
    answers = [await submit(admission, bus) for _ in range(3)]
    assert answers == [None, None, ErrorCode.QUEUE_FULL]


@pytest.mark.parametrize(
    ("durations", "slots", "seconds"),
    [([], 1, 5), ([10.0, 20.0], 1, 15), ([10.0, 20.0], 4, 4), ([999.0], 1, 60), ([0.01], 8, 1)],
)
async def test_the_time_to_come_back_follows_the_last_jobs(durations: list[float], slots: int, seconds: int) -> None:
    """Until the next place becomes free, in whole seconds from 1 to 60."""
    bus = Bus(1)
    admission = Admission(1, bus.depth)
    for duration in durations:
        admission.note_duration("pool", duration)
    with pytest.raises(EaselError) as caught:
        async with admission.place("pool", slots):
            pass
    assert whole_seconds(caught.value.retry_after_s or 0) == seconds
    assert caught.value.message.count(" s") == 1
    assert caught.value.message.endswith(f"come back in {math.ceil(caught.value.retry_after_s or 0)} s")
