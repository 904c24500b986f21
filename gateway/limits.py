"""What one key may use, and the account that is kept of it: pure arithmetic, the bus is `gateway.quota`'s.

A job is charged when it is admitted, once for its id, and settled when it has ended:

    succeeded                    keeps its charge
    never ran                    gives everything back (refused, cancelled while it waited, lost)
    failed                       gives everything back
    cancelled while it ran       gives the pictures back and keeps the megapixel-steps
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from contracts.errors import EaselError, ErrorCode
from contracts.jobs import Job, JobOutcome, JobState

MINUTE_S = 60.0
DAY_S = 86_400.0
_PIXELS = 1_000_000
_ROUNDING_S = 1e-6

Count = Annotated[int, Meta(ge=0)]
Amount = Annotated[float, Meta(ge=0)]


class KeyLimits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """0 is no limit. A day is one of UTC."""

    requests_per_minute: Count = 0
    """Jobs asked for; as many may come at once after a minute's rest."""
    jobs_in_flight: Count = 0
    """Jobs that wait or run."""
    pictures_per_day: Count = 0
    megapixel_steps_per_job: Amount = 0.0
    megapixel_steps_per_day: Amount = 0.0


NO_LIMITS = KeyLimits()


class Charge(msgspec.Struct, frozen=True):
    """What one job takes."""

    day: int
    """Days since 1970 on which it was admitted."""
    at: float
    """Unix seconds of its admission."""
    pictures: int
    megapixel_steps: float


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One key's use. Only the newest day is kept; a charge of another day changes nothing when it is settled."""

    day: int = 0
    pictures: int = 0
    megapixel_steps: float = 0.0
    jobs: int = 0
    """Charged on that day and not given back."""
    paced_until: float = 0.0
    """Unix seconds until which the rate is used up: the generic cell rate algorithm (ITU-T I.371)."""
    in_flight: dict[str, Charge] = {}
    """By job id."""

    def today(self, now: float) -> Account:
        """The account with the counts of the day of `now`; a clock that runs behind opens no new day."""
        day = int(now // DAY_S)
        if day <= self.day:
            return self
        return msgspec.structs.replace(self, day=day, pictures=0, megapixel_steps=0.0, jobs=0)

    def admit(self, job: Job, limits: KeyLimits, now: float) -> Account:
        """The account with the job in it; unchanged when it is there already.

        Raises:
            EaselError: LIMIT_REACHED with a time to come back and the limit's name; PERMISSION_DENIED for a job that
                this key may never have.
        """
        if job.id in self.in_flight:
            return self
        account = self.today(now)
        cost = Charge(account.day, now, job.request.num_images, megapixel_steps(job))
        _check(account, cost, limits, now)
        gap = MINUTE_S / limits.requests_per_minute if limits.requests_per_minute else 0.0
        return msgspec.structs.replace(
            account,
            pictures=account.pictures + cost.pictures,
            megapixel_steps=account.megapixel_steps + cost.megapixel_steps,
            jobs=account.jobs + 1,
            paced_until=max(account.paced_until, now) + gap,
            in_flight={**account.in_flight, job.id: cost},
        )

    def settle(self, job_id: str, outcome: JobOutcome | None) -> Account:
        """The account without the job, and with what it gives back; None for one that the bus never held."""
        cost = self.in_flight.get(job_id)
        if cost is None:
            return self
        rest = {key: value for key, value in self.in_flight.items() if key != job_id}
        account = msgspec.structs.replace(self, in_flight=rest)
        succeeded = outcome is not None and outcome.state is JobState.SUCCEEDED
        if cost.day != self.day or succeeded:
            return account
        ran = outcome is not None and outcome.state is JobState.CANCELLED and outcome.started_at > 0
        return msgspec.structs.replace(
            account,
            pictures=self.pictures - cost.pictures,
            megapixel_steps=self.megapixel_steps if ran else max(0.0, self.megapixel_steps - cost.megapixel_steps),
            jobs=self.jobs if ran else self.jobs - 1,
        )


def _check(account: Account, cost: Charge, limits: KeyLimits, now: float) -> None:
    most = limits.megapixel_steps_per_job
    if most and cost.megapixel_steps > most:
        said = f"this key may have {most:g} megapixel-steps in one job (megapixel_steps_per_job)"
        said += f" and this one takes {cost.megapixel_steps:g}: ask for a smaller picture, fewer steps or fewer"
        raise EaselError(ErrorCode.PERMISSION_DENIED, said)
    if limits.jobs_in_flight and len(account.in_flight) >= limits.jobs_in_flight:
        raise _reached("jobs_in_flight", limits.jobs_in_flight, "jobs waiting or running at once", 1.0)
    tomorrow = (account.day + 1) * DAY_S - now
    if limits.pictures_per_day and account.pictures + cost.pictures > limits.pictures_per_day:
        raise _reached("pictures_per_day", limits.pictures_per_day, "pictures a day (UTC)", tomorrow)
    most = limits.megapixel_steps_per_day
    if most and account.megapixel_steps + cost.megapixel_steps > most:
        raise _reached("megapixel_steps_per_day", most, "megapixel-steps a day (UTC)", tomorrow)
    if limits.requests_per_minute:
        _check_pace(account, limits.requests_per_minute, now)


def _check_pace(account: Account, per_minute: int, now: float) -> None:
    """A minute's worth may have been taken in advance, no more."""
    early = account.paced_until + MINUTE_S / per_minute - now - MINUTE_S
    if early > _ROUNDING_S:
        raise _reached("requests_per_minute", per_minute, "jobs a minute", early)


def megapixel_steps(job: Job) -> float:
    """Width x height x steps x pictures, in millions: what a job costs a device, roughly."""
    request = job.request
    return request.width * request.height * request.num_inference_steps * request.num_images / _PIXELS


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a key has used today and may use."""

    key: str
    name: str
    day: str
    """Of UTC, as YYYY-MM-DD."""
    jobs: int
    pictures: int
    megapixel_steps: float
    in_flight: int
    limits: KeyLimits


def usage(account: Account, key: str, name: str, limits: KeyLimits, now: float) -> Usage:
    """`account` for people."""
    today = account.today(now)
    return Usage(
        key=key,
        name=name,
        day=datetime.fromtimestamp(today.day * DAY_S, UTC).date().isoformat(),
        jobs=today.jobs,
        pictures=today.pictures,
        megapixel_steps=round(today.megapixel_steps, 6),
        in_flight=len(today.in_flight),
        limits=limits,
    )


def _reached(name: str, most: float, what: str, wait_s: float) -> EaselError:
    said = f"this key may have {most:g} {what} ({name}); come back in {math.ceil(max(wait_s, 1))} s"
    return EaselError(ErrorCode.LIMIT_REACHED, said, retry_after_s=max(wait_s, 1.0))
