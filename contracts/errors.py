"""The closed set of ways in which work can fail, and the exception that carries one of them.

EaselError            any failure that a person may read
└─ (by code)          ErrorCode says which kind; surfaces map the code, never the text
"""

from __future__ import annotations

import enum

import msgspec


class ErrorCode(enum.StrEnum):
    """Every failure that a client can be told of. Each surface maps these to its own status once."""

    INVALID_REQUEST = "invalid_request"
    """A field is missing, malformed or contradicts another."""
    UNSUPPORTED = "unsupported"
    """Well formed, but the model or device cannot do it (size, steps, sampler)."""
    UNAUTHENTICATED = "unauthenticated"
    """No key, or a key that does not exist."""
    PERMISSION_DENIED = "permission_denied"
    """A valid key that may not do this."""
    CONTENT_REFUSED = "content_refused"
    """The operator of this server does not allow what the prompt asks for, or what was drawn."""
    NOT_FOUND = "not_found"
    """No such job, picture or route."""
    METHOD_NOT_ALLOWED = "method_not_allowed"
    MODEL_NOT_FOUND = "model_not_found"
    """No live worker offers the model."""
    CONFLICT = "conflict"
    """The thing exists, but its state does not allow this (a result before the job ended)."""
    PAYLOAD_TOO_LARGE = "payload_too_large"
    QUEUE_FULL = "queue_full"
    """Too many jobs wait; the same request may succeed later."""
    LIMIT_REACHED = "limit_reached"
    """The caller's key has used what it may for now; the same request may succeed later."""
    DEADLINE_EXCEEDED = "deadline_exceeded"
    CANCELLED = "cancelled"
    ENGINE_FAILED = "engine_failed"
    """The model ran and failed, or its worker died too often."""
    UNAVAILABLE = "unavailable"
    """The bus or every worker is away; the same request may succeed later."""
    INTERNAL = "internal"
    """A fault of ours: logged with the request id, told without detail."""


class JobError(msgspec.Struct, frozen=True, omit_defaults=True):
    """A failure as it travels and as it is stored: for people first."""

    code: ErrorCode
    message: str
    """What was wrong, where, and what to do."""
    param: str | None = None
    """The field at fault, by its name in `GenerateImage`; surfaces translate it to their own word."""


class EaselError(Exception):
    """Carries a `JobError` through the layers of one process."""

    def __init__(
        self, code: ErrorCode, message: str, *, param: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s
        """Seconds after which the same request may succeed; None when waiting does not help."""

    def as_job_error(self) -> JobError:
        """The part that may leave the process."""
        return JobError(code=self.code, message=self.message, param=self.param)
