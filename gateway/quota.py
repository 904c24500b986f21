"""What each key used, kept on the bus: right however many gateways share it.

One note for each key is read, changed and written back only if nobody changed it meanwhile. Jobs that have ended are
settled by whoever looks next, from their outcomes: no gateway has to live until then, and none settles twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable

import msgspec

from contracts.errors import EaselError, ErrorCode
from contracts.jobs import Job
from gateway.keys import Key, Keyring
from gateway.lifespan import BusLink
from gateway.limits import NO_LIMITS, Account, KeyLimits, Usage, usage

_TOPIC = "account"
GRACE_S = 60.0
"""Seconds after which a job that was charged and that the bus does not know was never stored."""
_TRIES = 100
"""Times that another gateway may come first."""
_NOT_STORED = (ErrorCode.QUEUE_FULL, ErrorCode.LIMIT_REACHED, ErrorCode.NOT_FOUND)
"""Failures of a submission after which the bus surely holds nothing of it."""


class Quota:
    """One for each gateway; without a keyring nothing is counted."""

    def __init__(self, link: BusLink, keyring: Keyring | None) -> None:
        self._link = link
        self._keyring = keyring
        self._changing: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """So that requests to one gateway do not race each other on the bus."""

    @contextlib.asynccontextmanager
    async def charged(self, job: Job) -> AsyncIterator[None]:
        """Charge the job to its key while the block submits it; a submission that is refused costs nothing.

        Raises:
            EaselError: as `Account.admit`; UNAVAILABLE.
        """
        if self._keyring is None or not job.owner:
            yield
            return
        key = self._keyring.get(job.owner)
        added = await self._admit(job, key.limits if key else NO_LIMITS)
        try:
            yield
        except EaselError as fault:
            if added and fault.code in _NOT_STORED:
                await self._change(job.owner, lambda account: account.settle(job.id, None))
            raise

    async def usage(self, owner: str | None, *, everyone: bool) -> list[Usage]:
        """Today's use of one key, or of all there are.

        Raises:
            EaselError: UNAVAILABLE.
        """
        keys = self._keyring.all() if self._keyring else ()
        wanted = [key for key in keys if everyone or key.id == owner]
        return list(await asyncio.gather(*map(self._usage, wanted)))

    async def _usage(self, key: Key) -> Usage:
        account = await self._change(key.id, lambda account: account)
        return usage(account, key.id, key.name, key.limits, time.time())

    async def _admit(self, job: Job, limits: KeyLimits) -> bool:
        """Whether the job was charged now, and not by the same request before."""
        outcome: list[bool] = [False]

        def admit(account: Account) -> Account:
            admitted = account.admit(job, limits, time.time())
            outcome[0] = admitted is not account
            return admitted

        await self._change(job.owner, admit, job.id)
        return outcome[0]

    async def _change(self, key_id: str, change: Callable[[Account], Account], charging: str = "") -> Account:
        """The account with ended jobs settled, and changed; `charging` is not charged where it has ended already."""
        async with self._changing[key_id]:
            for _ in range(_TRIES):
                note = await self._link.backend.callers.read(key_id, _TOPIC)
                before = msgspec.json.decode(note.data, type=Account) if note.data else Account()
                account, ended = await self._settled(before, charging)
                if not ended:
                    account = change(account)
                if account == before:
                    return account
                data = msgspec.json.encode(account)
                if await self._link.backend.callers.write(key_id, _TOPIC, data, over=note.revision):
                    return account
        raise EaselError(ErrorCode.UNAVAILABLE, "too many requests with this key at once; try again", retry_after_s=1)

    async def _settled(self, account: Account, charging: str) -> tuple[Account, bool]:
        """Without what has ended, and whether the job `charging` has. Read after the account was: see `_change`."""
        jobs = self._link.backend.jobs
        outcomes = await jobs.outcomes([*account.in_flight, *filter(None, [charging])])
        for job_id, outcome in outcomes.items():
            account = account.settle(job_id, outcome)
        old = [job_id for job_id, cost in account.in_flight.items() if time.time() - cost.at > GRACE_S]
        for job_id, record in zip(old, await asyncio.gather(*map(jobs.record, old)), strict=True):
            if record is None:
                account = account.settle(job_id, None)
        return account, charging in outcomes
