"""Who may ask, for HTTP and gRPC alike: holders of keys, machines of trusted networks, and this one without keys.

Without a key a caller is the other end of its connection. What a header says of it is never believed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from contracts.errors import EaselError, ErrorCode
from gateway.keys import EVERY_SCOPE, USUAL_SCOPES, Keyring, Scope
from gateway.settings import GatewaySettings
from gateway.trusted_networks import TrustedNetworks, address_of

_OF_PROXIES = ("x-forwarded-for", "forwarded", "x-real-ip", "via")
"""Headers that say that the other end of the connection is not who asks."""


class Caller(NamedTuple):
    """Who asks, and what they may."""

    owner: str | None
    """Id of the key; None where no keys are in use and everyone sees every job; "" beside keys for whoever has none."""
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
            whose = f"key {self.owner} has" if self.has_key else "without a key you have"
            said = f"{what} needs a key with the scope {scope}; {whose} {', '.join(self.scopes) or 'none'}"
            raise EaselError(ErrorCode.PERMISSION_DENIED, said)


class Access:
    """One for each gateway.

    Raises:
        KeysFileError: the keys file cannot be read.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self.keyring = Keyring(Path(settings.keys_file)) if settings.keys_file else None
        self._networks = TrustedNetworks(settings.trusted_networks)

    def caller(self, headers: Mapping[str, str], peer: str) -> Caller:
        """Whoever sent these headers, or gRPC's metadata, from the address `peer`."""
        if self.keyring is not None and (token := token_of(headers)):
            return _holder(self.keyring, token)
        return self._without_key(headers, peer)

    def _without_key(self, headers: Mapping[str, str], peer: str) -> Caller:
        address = address_of(peer)
        is_here = self.keyring is None and address is not None and address.is_loopback
        if not is_here and (address is None or address not in self._networks):
            if self.keyring is not None:
                return _refused(ErrorCode.UNAUTHENTICATED, "an API key is needed: Authorization: Bearer <key>")
            said = "only this machine and trusted networks may ask here"
            return _refused(ErrorCode.PERMISSION_DENIED, f"{said}, not {peer} (EASEL_GATEWAY_TRUSTED_NETWORKS)")
        if self._networks and any(name in headers for name in _OF_PROXIES):
            said = "this came through a proxy, which hides where from: use a key, or ask the gateway directly"
            return _refused(ErrorCode.PERMISSION_DENIED, said)
        owner = None if self.keyring is None else ""
        return Caller(owner, EVERY_SCOPE if is_here else USUAL_SCOPES)


def _holder(keyring: Keyring, token: str) -> Caller:
    key = keyring.find(token)
    if key is None:
        return _refused(ErrorCode.UNAUTHENTICATED, "this API key does not exist")
    if key.expired:
        return _refused(ErrorCode.UNAUTHENTICATED, f"this API key expired at {key.expiry}; ask for a new one")
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
