"""How the command ends: its exit codes, and the one exception that carries one.

CliError      a fault that a person can act on; shown as one line on stderr
"""

from __future__ import annotations

import enum


class ExitCode(enum.IntEnum):
    """What a script can branch on."""

    OK = 0
    INTERNAL = 1
    """A fault of Easel, here or on the server."""
    USAGE = 2
    """A wrong flag, argument, setting or file name."""
    UNREACHABLE = 3
    """No gateway answers, or it is not ready."""
    REJECTED = 4
    """The gateway refused the request (4xx)."""
    JOB_FAILED = 5
    """The job was accepted and failed, or somebody cancelled it."""
    CANCELLED = 130
    """Ctrl-C."""


class CliError(Exception):
    """What went wrong, where, and what to do; each line of `message` is shown as it stands."""

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
