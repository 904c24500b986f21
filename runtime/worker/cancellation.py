"""Why a running job should stop, and how its engine's thread learns of it."""

from __future__ import annotations

import enum


class StopReason(enum.Enum):
    """What becomes of a job whose engine was stopped."""

    ENDED = "ended"
    """It has an outcome already (cancelled by its owner, or finished elsewhere): forget it."""
    HAND_BACK = "hand back"
    """This worker must go: another shall do it."""


class CancelToken:
    """Set once from the event loop, read by the engine's thread between steps."""

    def __init__(self) -> None:
        self.reason: StopReason | None = None

    def set(self, reason: StopReason) -> None:
        """Stop the job at its next step; the first reason stands."""
        self.reason = self.reason or reason
