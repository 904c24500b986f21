"""Requests that come twice: the same key means the same job, and an SDK that tries again joins what it began.

`Idempotency-Key` is the IETF's draft (draft-ietf-httpapi-idempotency-key-header). OpenAI's SDKs send none, but count
their retries in `x-stainless-retry-count`: a retry joins the caller's newest job that was asked for in the same words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from contracts.errors import EaselError, ErrorCode
from contracts.jobs import Job, JobRecord, JobState, new_job_id

MAX_KEY_CHARACTERS = 255
RETURN_S = 10.0
"""Seconds that a job outlives its client where the client may come back: SDKs try again after at most 8."""


class Once(msgspec.Struct, frozen=True):
    """What a request says about being the same as another."""

    key: str = ""
    is_retry: bool = False
    may_return: bool = False
    """Whether a client that closes the connection is likely to ask again."""

    def job_id(self, owner: str | None) -> str:
        """The same for the same key of the same caller; else a new one."""
        if not self.key:
            return new_job_id()
        return hashlib.sha256(f"{owner or ''}\n{self.key}".encode()).hexdigest()[:32]


EVERY_TIME = Once()
"""A request that stands alone."""


def once_of(headers: Mapping[str, str]) -> Once:
    """As the headers say.

    Raises:
        EaselError: INVALID_REQUEST for a key that is too long.
    """
    key = headers.get("idempotency-key", "").strip()
    if len(key) > MAX_KEY_CHARACTERS:
        said = f"an Idempotency-Key has at most {MAX_KEY_CHARACTERS} characters"
        raise EaselError(ErrorCode.INVALID_REQUEST, said, param="Idempotency-Key")
    count = headers.get("x-stainless-retry-count", "")
    return Once(key, is_retry=count not in ("", "0"), may_return=bool(key or count))


def fingerprint(wanted: msgspec.Struct) -> str:
    """Equal for requests that ask for the same, pictures included.

    As JSON, which holds any integer that a client sends.
    """
    return hashlib.sha256(msgspec.json.encode(wanted)).hexdigest()[:32]


def check_same(job: Job, asked: str) -> None:
    """Refuse a key that was used for something else.

    Raises:
        EaselError: INVALID_REQUEST.
    """
    if job.fingerprint != asked:
        message = (
            f"this Idempotency-Key belongs to job {job.id}, which was asked for with other parameters; use a new key"
        )
        raise EaselError(ErrorCode.INVALID_REQUEST, message, param="Idempotency-Key")


def joinable(record: JobRecord, asked: str) -> bool:
    """Whether a retry may have what this job draws or drew."""
    return record.job.fingerprint == asked and record.state not in (JobState.CANCELLED, JobState.FAILED)
