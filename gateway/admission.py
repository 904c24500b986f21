"""Whether a queue takes one more job: counted here while there is plenty of room, asked of the bus when it gets tight.

Between the check and the count nothing is awaited, so any number of simultaneous requests to one gateway take exactly
the places that there are. Replicas know of each other only what the bus says, which may be `FRESH_S` old while there is
plenty of room: in a burst each may exceed the limit by what it admitted in that time, at most half the queue. While the
bus cannot tell, as a pool elects a leader, each counts on from what it was told last, or from nothing: whether a job
can be stored is for the bus to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from contracts.errors import EaselError, ErrorCode
from runtime.process.waiting import until

FRESH_S = 1.0
"""Seconds for which a count from the bus is good enough while there is plenty of room: at most half of all places are
given away on it, by each gateway."""
_SETTLE_S = 1.0
"""Seconds that a question waits for submissions on their way."""
_PATIENCE_S = 0.5
"""Seconds that an answer may take where an earlier one is known."""
_FIRST_PATIENCE_S = 2.0
"""The same where there is none to count on from."""
LAG_S = 0.25
"""Seconds in which the bus's count may not have what was stored just now: a busy server was seen to count a job as much
as 17 ms after it had said that it was stored."""
CLUSTER_LAG_S = 1.0
"""The same where a copy that is a little late may do the counting."""
_REMEMBERED = 20
"""Job durations that the estimate of a waiting time rests on."""
_UNKNOWN_DURATION_S = 5.0


class Depth(Protocol):
    """What the bus answers."""

    @property
    def waiting(self) -> int: ...

    @property
    def delivered(self) -> int: ...


class _Queue:
    """What one pool's queue is known to hold. All fields are written by `Admission` alone."""

    def __init__(self) -> None:
        self.waiting = 0
        """As the bus last said."""
        self.delivered = 0
        """Deliveries up to then."""
        self.since = 0
        """Admitted here since then."""
        self.stored_at = float("-inf")
        """When the last of those was on its way no more."""
        self.on_their_way = 0
        """Admitted and perhaps not yet stored."""
        self.settled = asyncio.Event()
        """Set while nothing is on its way."""
        self.settled.set()
        self.asking = asyncio.Lock()
        """Held from a question to the decisions that rest on it, so that none rests on half of an answer."""
        self.questions = 0
        """Sent so far."""
        self.answered_at = float("-inf")
        self.durations: deque[float] = deque(maxlen=_REMEMBERED)


class Admission:
    """One for each gateway. `depth` asks the bus how many jobs of a pool wait; what it says may be `lag_s` late."""

    def __init__(self, limit: int, depth: Callable[[str], Awaitable[Depth]], lag_s: float = LAG_S) -> None:
        self._limit = limit
        self._depth = depth
        self._lag_s = lag_s
        self._queues: dict[str, _Queue] = defaultdict(_Queue)

    @contextlib.asynccontextmanager
    async def place(self, pool: str, slots: int) -> AsyncIterator[None]:
        """Hold a place in a pool's queue while the block submits the job that takes it.

        Raises:
            EaselError: QUEUE_FULL with a time to come back, judged by `slots` jobs at once.
        """
        queue = self._queues[pool]
        if self._has_plenty_of_room(queue):
            self._take(queue)
        else:
            await self._ask_and_take(pool, queue, slots)
        try:
            yield
        finally:
            queue.on_their_way -= 1
            queue.stored_at = asyncio.get_running_loop().time()
            if queue.on_their_way == 0:
                queue.settled.set()

    def note_duration(self, pool: str, seconds: float) -> None:
        """Learn from a job that ended how long jobs of its pool run."""
        self._queues[pool].durations.append(seconds)

    def waiting(self, pool: str) -> int:
        """The best guess without asking."""
        queue = self._queues[pool]
        return queue.waiting + queue.since

    def _has_plenty_of_room(self, queue: _Queue) -> bool:
        fresh = asyncio.get_running_loop().time() - queue.answered_at < FRESH_S
        return fresh and queue.waiting + queue.since < self._limit // 2

    @staticmethod
    def _take(queue: _Queue) -> None:
        queue.since += 1
        queue.on_their_way += 1
        queue.settled.clear()

    async def _ask_and_take(self, pool: str, queue: _Queue, slots: int) -> None:
        """One question serves all who came before it was sent: a crowd at a full queue costs one round trip."""
        questions_before = queue.questions
        async with queue.asking:
            if queue.questions == questions_before:
                await self._ask(pool, queue)
            if queue.waiting + queue.since >= self._limit:
                wait_s = self._until_next(queue, slots)
                message = f"{self._limit} jobs are waiting, as many as may; come back in {math.ceil(wait_s)} s"
                raise EaselError(ErrorCode.QUEUE_FULL, message, retry_after_s=wait_s)
            self._take(queue)

    async def _ask(self, pool: str, queue: _Queue) -> None:
        await until(queue.settled, _SETTLE_S)
        on_their_way = queue.on_their_way  # not 0 only when the bus is slow: counted as waiting rather than forgotten
        queue.questions += 1
        known = math.isfinite(queue.answered_at)
        with contextlib.suppress(EaselError, TimeoutError):
            async with asyncio.timeout(_PATIENCE_S if known else _FIRST_PATIENCE_S):
                depth = await self._depth(pool)
            queue.waiting, queue.since = self._waiting(queue, depth, on_their_way), on_their_way
            queue.delivered = depth.delivered
        queue.answered_at = asyncio.get_running_loop().time()

    def _waiting(self, queue: _Queue, depth: Depth, on_their_way: int) -> int:
        """As many as the bus says; no fewer than stored here and not delivered since, while it may not have these."""
        if asyncio.get_running_loop().time() - queue.stored_at >= self._lag_s:
            return depth.waiting
        stored, delivered = queue.since - on_their_way, depth.delivered - queue.delivered
        return max(depth.waiting, queue.waiting + stored - delivered)

    @staticmethod
    def _until_next(queue: _Queue, slots: int) -> float:
        durations = queue.durations or [_UNKNOWN_DURATION_S]
        return sum(durations) / len(durations) / max(1, slots)
