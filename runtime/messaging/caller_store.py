"""What the gateway remembers for a caller between requests, seen by every replica: one small note for each topic."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from contracts.subjects import subject_token
from runtime.messaging.connection import Bus, BusError

WRONG_SEQUENCE = 10071
"""The server's code for a note that somebody else changed meanwhile."""
_EVERYBODY = "_"
"""In place of a key's id where no keys are in use."""


class Note(NamedTuple):
    """What is remembered, and which revision of it; 0 where there is nothing yet."""

    data: bytes | None
    revision: int


class CallerStore:
    """Read and change notes. `owner` is the id of the caller's key, None where no keys are in use."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def read(self, owner: str | None, topic: str) -> Note:
        """The note as it is now.

        Raises:
            EaselError: UNAVAILABLE.
        """
        subjects = self._bus.subjects
        subject = subjects.caller(_token(owner), topic)
        found = await self._bus.read(subjects.callers_stream, multi_last=[subject])
        return Note(found[-1].data, found[-1].sequence) if found else Note(None, 0)

    async def write(self, owner: str | None, topic: str, data: bytes, *, over: int | None = None) -> bool:
        """Replace the note; whether it was replaced. With `over`, only if that is still its revision.

        Raises:
            EaselError: UNAVAILABLE.
        """
        expected = {} if over is None else {"Nats-Expected-Last-Subject-Sequence": str(over)}
        subject = self._bus.subjects.caller(_token(owner), topic)
        try:
            return await self._bus.store(subject, data, message_id=secrets.token_hex(16), headers=expected)
        except BusError as fault:
            if fault.code != WRONG_SEQUENCE:
                raise
            return False


def _token(owner: str | None) -> str:
    return subject_token(owner) if owner else _EVERYBODY
