"""A job's history: publish an event, follow a job live or late without gap or duplicate.

Events are stored, then republished on a live subject; a follower subscribes first and reads the stored ones second, so
that nothing falls between. Event ids come from the worker (see `contracts.events.EventId`); a jump in them, a reconnect
or silence makes the follower read the stored history again, so lost messages cost time and never an event.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from nats.aio.msg import Msg

from contracts import codec
from contracts.events import BEGINNING, END, EventId, Finished, JobEvent, StoredEvent
from contracts.jobs import JobOutcome
from runtime.messaging.connection import Bus, Stored
from runtime.messaging.metrics import OUTCOMES

SILENCE_S = 5.0
"""Seconds without a live event after which a follower looks at what is stored."""
_TRAILING_S = 0.02
_TRAILING_TRIES = 5


async def publish_event(bus: Bus, author: str, job_id: str, event: StoredEvent) -> None:
    """Add to a job's history, without waiting for the bus."""
    await bus.publish(bus.subjects.event(author, job_id), codec.encode(event))


async def store_outcome(bus: Bus, author: str, outcome: JobOutcome) -> bool:
    """End a job. The first outcome stored stands.

    Returns:
        Whether this outcome is the one that stands.

    Raises:
        EaselError: UNAVAILABLE.
    """
    job_id = outcome.job.id
    stands = await bus.store(
        bus.subjects.outcome(author, job_id),
        codec.encode(outcome),
        message_id=f"{job_id}.{author}.{outcome.attempt}.{outcome.state}",
    )
    if stands:
        reason = outcome.error.code if outcome.error else ""
        OUTCOMES.labels(outcome.state, outcome.job.request.model, reason).inc()
    return stands


async def read_outcome(bus: Bus, job_id: str) -> JobOutcome | None:
    """How a job ended, or None while it has not."""
    data = await bus.last(bus.subjects.outcomes_stream, bus.subjects.stored_outcome(job_id))
    return None if data is None else codec.decode(data, JobOutcome)


async def read_events(bus: Bus, job_id: str) -> list[StoredEvent]:
    """What is stored of a job's history, in the order of its ids, each once."""
    subject = bus.subjects.stored_event(job_id)
    stored = await bus.read(bus.subjects.events_stream, seq=1, next_by_subj=subject)
    events = {event.id: event for message in stored if (event := readable_event(message.data)) is not None}
    return [events[key] for key in sorted(events)]


def readable_event(data: bytes) -> StoredEvent | None:
    """The event in `data`, or None for a kind that only newer versions know: a follower can do without it."""
    try:
        return codec.decode(data, StoredEvent)  # type: ignore[arg-type]
    except codec.SchemaMismatch:
        return None


def _live_event(message: Msg) -> JobEvent | None:
    if message.subject.split(".")[-2] == "fin":
        return Finished(outcome=codec.decode(message.data, JobOutcome))
    return readable_event(message.data)


async def last_events(bus: Bus, job_ids: list[str]) -> dict[str, StoredEvent]:
    """The newest event of each job that has one, in one round trip."""
    if not job_ids:
        return {}
    subjects = [bus.subjects.stored_event(job_id) for job_id in job_ids]
    stored: list[Stored] = await bus.read(bus.subjects.events_stream, multi_last=subjects)
    events = ((message.subject.rsplit(".", 1)[1], readable_event(message.data)) for message in stored)
    return {job_id: event for job_id, event in events if event is not None}


class OverheardJobs:
    """Live events of all jobs as they come, without the promise that none is missed: for lists, not for results."""

    _KEPT = 1000

    def __init__(self) -> None:
        self._live: asyncio.Queue[tuple[str, JobEvent]] = asyncio.Queue(self._KEPT)

    async def receive(self, message: Msg) -> None:
        """Keep one; while nobody takes them, those beyond `_KEPT` are passed over."""
        event = _live_event(message)
        if event is not None and not self._live.full():
            self._live.put_nowait((message.subject.rsplit(".", 1)[1], event))

    async def next(self) -> tuple[str, JobEvent]:
        """The next event, with its job's id."""
        return await self._live.get()


class _Live:
    """What is republished of one job, as it comes; some of it may be missed."""

    def __init__(self) -> None:
        self._came: asyncio.Queue[JobEvent | None] = asyncio.Queue()

    async def receive(self, message: Msg) -> None:
        """Keep one."""
        if (event := _live_event(message)) is not None:
            self._came.put_nowait(event)

    def look_back(self) -> None:
        """Say that some may have been missed."""
        self._came.put_nowait(None)

    async def next(self) -> JobEvent | None:
        """The next event; None after a reconnect or silence, when some may have been missed."""
        try:
            async with asyncio.timeout(SILENCE_S):
                return await self._came.get()
        except TimeoutError:
            return None


@contextlib.asynccontextmanager
async def _listening(bus: Bus, kind: str, job_id: str) -> AsyncIterator[_Live]:
    """Receive live events while the block runs; `kind` as in `Subjects.live`."""
    live = _Live()
    async with bus.listening(bus.subjects.live(kind, job_id), live.receive):
        with bus.at_reconnect(live.look_back):
            yield live


class Ending:
    """One job's outcome, for whoever wants no progress: the bus has less to tell.

    Use as a context manager around the submission: it listens from the moment it is entered.
    """

    def __init__(self, bus: Bus, job_id: str, live: _Live) -> None:
        self._bus = bus
        self._job_id = job_id
        self._live = live

    @classmethod
    @contextlib.asynccontextmanager
    async def listening(cls, bus: Bus, job_id: str) -> AsyncIterator[Ending]:
        """Receive the outcome while the block runs."""
        async with _listening(bus, "fin", job_id) as live:
            yield cls(bus, job_id, live)

    async def outcome(self, *, stored: bool = True) -> JobOutcome:
        """Wait for it; `stored` is false for a job that is submitted inside the block: there is nothing to look up."""
        while True:
            if stored and (found := await read_outcome(self._bus, self._job_id)) is not None:
                return found
            event = await self._live.next()
            if isinstance(event, Finished):
                return event.outcome
            stored = True


class Follower:
    """One job's events after `after`, in order, each once, ending with `Finished`.

    Use as a context manager around the submission: it listens from the moment it is entered.
    """

    def __init__(self, bus: Bus, job_id: str, live: _Live, after: EventId) -> None:
        self._bus = bus
        self._job_id = job_id
        self._live = live
        self._last = after

    @classmethod
    @contextlib.asynccontextmanager
    async def listening(cls, bus: Bus, job_id: str, after: EventId = BEGINNING) -> AsyncIterator[Follower]:
        """Receive live events while the block runs."""
        async with _listening(bus, "*", job_id) as live:
            yield cls(bus, job_id, live, after)

    async def events(self, *, stored: bool = True) -> AsyncIterator[JobEvent]:
        """Yield what is stored (unless `stored` is false: a job not yet submitted), then what comes."""
        catch_up = stored
        while self._last < END:
            if catch_up:
                async for event in self._catch_up():
                    yield event
                if self._last == END:
                    return
            live = await self._live.next()
            catch_up = live is None or self._leaves_gap(live)
            if live is not None and not catch_up and live.id > self._last:
                self._last = live.id
                yield live

    def _leaves_gap(self, event: JobEvent) -> bool:
        if isinstance(event, Finished):
            return self._misses_events_of(event.outcome)
        if event.id.attempt == self._last.attempt:
            return event.id.number > self._last.number + 1
        return event.id.attempt > self._last.attempt and (event.id.number > 0 or self._last.attempt > 0)

    def _misses_events_of(self, outcome: JobOutcome) -> bool:
        return outcome.last_event >= 0 and self._last < EventId(outcome.attempt, outcome.last_event)

    async def _catch_up(self) -> AsyncIterator[JobEvent]:
        outcome = await read_outcome(self._bus, self._job_id)
        for _ in range(_TRAILING_TRIES):
            for event in await read_events(self._bus, self._job_id):
                if event.id > self._last:
                    self._last = event.id
                    yield event
            if outcome is None or not self._misses_events_of(outcome):
                break
            await asyncio.sleep(_TRAILING_S)  # an outcome can be stored a moment before the events sent ahead of it
        if outcome is not None:
            self._last = END
            yield Finished(outcome=outcome)
