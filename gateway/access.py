"""Who may ask, for HTTP and gRPC alike: holders of keys, and this machine where no keys are in use."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from contracts.errors import EaselError, ErrorCode
from gateway.keys import EVERY_SCOPE, Keyring, Scope
from gateway.settings import GatewaySettings


class Caller(NamedTuple):
    """Who asks, and what they may."""

    owner: str | None
    """Id of the key; None where no keys are in use and everyone sees every job; "" for whoever is refused."""
    scopes: tuple[Scope, ...] = ()
    refusal: EaselError | None = None
    """Why only what is open to all is for them."""
    has_key: bool = False

    def check(self, scope: Scope, what: str = "this") -> None:
        """Refuse what the caller may not do.

        Raises:
            EaselError: UNAUTHENTICATED without a key that is good, PERMISSION_DENIED without the scope.
        """
        if self.refusal is not None:
            raise self.refusal
        if scope not in self.scopes:
            have = ", ".join(self.scopes) or "none"
            said = f"{what} needs a key with the scope {scope}; key {self.owner} has {have}"
            raise EaselError(ErrorCode.PERMISSION_DENIED, said)


class Access:
    """One for each gateway.

    Raises:
        KeysFileError: the keys file cannot be read.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self.keyring = Keyring(Path(settings.keys_file)) if settings.keys_file else None

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Whoever sent these headers, or gRPC's metadata."""
        if self.keyring is None:
            return Caller(None, EVERY_SCOPE)
        token = token_of(headers)
        if not token:
            return _refused(ErrorCode.UNAUTHENTICATED, "an API key is needed: Authorization: Bearer <key>")
        key = self.keyring.find(token)
        if key is None:
            return _refused(ErrorCode.UNAUTHENTICATED, "this API key does not exist")
        if key.expired:
            said = f"this API key expired at {key.expiry}; ask for a new one"
            return _refused(ErrorCode.UNAUTHENTICATED, said)
        return Caller(key.id, key.scopes, has_key=True)


def _refused(code: ErrorCode, message: str) -> Caller:
    return Caller("", refusal=EaselError(code, message))


def token_of(headers: Mapping[str, str]) -> str:
    """The token in any of the headers that clients use; "" for none. An empty header counts as none."""
    scheme, _, value = (headers.get("authorization") or "").strip().partition(" ")
    match scheme.lower():
        case "bearer" if value.strip():
            return value.strip()
        case "basic" if value.strip():
            return _password(value.strip())
    return (headers.get("x-api-key") or headers.get("api-key") or "").strip()


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
