"""What happens to a job, as a stream that a live follower and a late one see alike."""

from __future__ import annotations

import re

import msgspec

from contracts.images import PreviewImage
from contracts.jobs import JobOutcome
from contracts.prompts import PromptSource


class EventId(msgspec.Struct, frozen=True, order=True):
    """Position of an event in its job's history: attempts count from 1, events within an attempt from 0.

    The numbers are the worker's own, so they outlive a restart of the bus, order a zombie's late events before those
    of the attempt that replaced it, and show a gap as a missing number.
    """

    attempt: int
    number: int

    def __str__(self) -> str:
        return f"{self.attempt}.{self.number}"

    @classmethod
    def parse(cls, text: str) -> EventId | None:
        """The id written by `str`, or None for anything else."""
        match = re.fullmatch(r"(\d{1,6})\.(\d{1,6})", text)
        return cls(int(match[1]), int(match[2])) if match else None


BEGINNING = EventId(0, 0)
"""Id of the `Queued` event, before every other."""
END = EventId(999_999, 999_999)
"""Id of the one terminal event, after every other."""


class Queued(msgspec.Struct, frozen=True, kw_only=True, tag="queued"):
    """The job was accepted. Never stored: every follower's first event, made from the job itself."""

    id: EventId = BEGINNING
    at: float


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="started"):
    """A worker began an attempt."""

    id: EventId
    at: float
    worker: str


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """A denoising step ended."""

    id: EventId
    at: float
    worker: str
    started_at: float
    """Unix seconds at which the attempt began: the newest event alone tells a reader how the job stands."""
    step: int
    total_steps: int
    previews: tuple[PreviewImage, ...] = ()
    """How the pictures look at this step, where the request wants to know."""


class Enhanced(msgspec.Struct, frozen=True, kw_only=True, tag="enhanced"):
    """The prompt to draw is there; the job waits for a worker that draws it."""

    id: EventId
    at: float
    worker: str
    prompt: str
    source: PromptSource


class Released(msgspec.Struct, frozen=True, kw_only=True, tag="released"):
    """A worker handed the job back unharmed, for another to take."""

    id: EventId
    at: float
    worker: str


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished"):
    """The job ended; nothing follows."""

    id: EventId = END
    outcome: JobOutcome

    @property
    def at(self) -> float:
        return self.outcome.finished_at


StoredEvent = Started | Progress | Enhanced | Released
"""What a worker publishes while it works."""
JobEvent = Queued | StoredEvent | Finished
"""What a follower receives."""
