"""Keys made, changed, revoked, left to expire and spoiled in any order: each opens exactly what a plain account says."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from contracts.errors import EaselError, ErrorCode
from gateway.access import Access
from gateway.keys import EVERY_SCOPE, KeysFileError, Scope, change_key, create_key, list_keys, revoke_key
from gateway.settings import GatewaySettings

SCOPES = st.lists(st.sampled_from(EVERY_SCOPE), unique=True).map(tuple)
WHICH = st.integers(0, 9)


class Keeping(RuleBasedStateMachine):
    """The file, a gateway that has been running all along, and what each token ever made may open."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.file = Path(self._folder.name) / "keys.json"
        create_key(self.file, "first", ())
        self.access = Access(GatewaySettings(keys_file=str(self.file)))
        self.scopes: dict[str, tuple[Scope, ...] | None] = {}
        """By token; None for one that opens nothing any more."""
        self.good: bytes | None = None
        """What the file held before it was spoiled."""

    def teardown(self) -> None:
        self._folder.cleanup()

    def token(self, which: int) -> str:
        there = [token for token, scopes in self.scopes.items() if scopes is not None]
        return there[which % len(there)] if there and self.good is None else ""

    @rule(scopes=SCOPES)
    def create(self, scopes: tuple[Scope, ...]) -> None:
        if self.good is None and len(self.scopes) < 6:
            self.scopes[create_key(self.file, "somebody", scopes)] = scopes

    @rule(which=WHICH, scopes=SCOPES)
    def change(self, which: int, scopes: tuple[Scope, ...]) -> None:
        if token := self.token(which):
            assert change_key(self.file, _id(token), scopes=scopes)
            self.scopes[token] = scopes

    @rule(which=WHICH)
    def revoke(self, which: int) -> None:
        if token := self.token(which):
            assert revoke_key(self.file, _id(token))
            assert not revoke_key(self.file, _id(token))
            self.scopes[token] = None

    @rule(which=WHICH)
    def expire(self, which: int) -> None:
        if token := self.token(which):
            assert change_key(self.file, _id(token), expires_at=time.time() - 1)
            self.scopes[token] = None

    @rule(there=st.booleans())
    def spoil(self, there: bool) -> None:
        """Cut short, or away. Nothing is written over it: that would lose every key."""
        if self.good is not None:
            return
        self.good = self.file.read_bytes()
        if there:
            self.file.write_bytes(self.good[:-3])
            with pytest.raises(KeysFileError):
                create_key(self.file, "lost")
        else:
            self.file.unlink()
            with pytest.raises(KeysFileError):
                revoke_key(self.file, "00000000")

    @rule()
    def mend(self) -> None:
        if self.good is not None:
            self.file.write_bytes(self.good)
            self.good = None

    @invariant()
    def each_token_opens_what_it_should(self) -> None:
        for token, scopes in self.scopes.items():
            caller = self.access.caller({"authorization": f"Bearer {token}"}, "127.0.0.1")
            if scopes is None or self.good is not None:
                with pytest.raises(EaselError) as refused:
                    caller.check(Scope.READ)
                assert refused.value.code is ErrorCode.UNAUTHENTICATED
            else:
                assert (caller.owner, caller.scopes, caller.refusal) == (_id(token), scopes, None)

    @invariant()
    def the_file_holds_no_token(self) -> None:
        if self.good is None:
            assert not [token for token in self.scopes if token.split("_", 2)[2] in self.file.read_text()]
            assert len(list_keys(self.file)) >= 1


def _id(token: str) -> str:
    return token.split("_")[1]


Keeping.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
test_each_token_opens_what_a_plain_account_says = Keeping.TestCase
