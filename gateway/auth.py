"""The check that every HTTP route passes before its body is read."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection, Request
from litestar.handlers import BaseRouteHandler

from contracts.errors import EaselError, ErrorCode
from gateway.access import Access, Caller
from gateway.keys import Scope
from gateway.notes import notes_of
from gateway.observe import BEGAN
from gateway.settings import GatewaySettings, is_loopback
from gateway.trusted_networks import address_of

Connection = ASGIConnection[Any, Any, Any, Any]
HttpRequest = Request[Any, Any, Any]
_CALLER = "easel.caller"
_READING = ("GET", "HEAD")

OPEN = {"open_to_all": True}
"""`opt` of routes that answer without a key."""
_SCOPE = "scope"


def needs(scope: Scope) -> dict[str, Scope]:
    """`opt` of routes that need another scope than their method tells: reading for GET, else drawing."""
    return {_SCOPE: scope}


def make_guard(access: Access, settings: GatewaySettings) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """The check. Sets what `caller` and those below it tell."""
    names = _Names(urlsplit(settings.public_url).hostname, addresses=bool(settings.trusted_networks))

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        scope = notes_of(connection.scope)
        scope[BEGAN] = time.perf_counter()
        asking = access.caller(connection.headers, connection.client.host if connection.client else "")
        if asking.refusal is None and not asking.has_key and (fault := _misused(connection, names)):
            asking = Caller("", refusal=fault)
        scope[_CALLER] = asking
        if not handler.opt.get("open_to_all") and scope["method"] != "OPTIONS":
            asking.check(handler.opt.get(_SCOPE) or (Scope.READ if scope["method"] in _READING else Scope.GENERATE))

    return guard


def moving(request: HttpRequest) -> Callable[[], None]:
    """The check before a worker is moved to another device: everybody draws with it.

    Raises:
        EaselError: from the check, PERMISSION_DENIED.
    """
    return partial(caller(request).check, Scope.ADMIN, "moving a worker to another device")


def owner(request: HttpRequest) -> str | None:
    """As `Caller.owner`."""
    return caller(request).owner


def may(request: HttpRequest, scope: Scope) -> bool:
    """Whether the caller has a scope."""
    return scope in caller(request).scopes


def is_known(request: HttpRequest) -> bool:
    """Whether the caller may see more than that the gateway lives."""
    return caller(request).refusal is None


def caller(request: HttpRequest) -> Caller:
    """Who asks."""
    notes = notes_of(request.scope)
    found: Caller = notes[_CALLER]
    return found


class _Names(NamedTuple):
    """What the gateway is called, beside this machine's own names."""

    public: str | None
    addresses: bool
    """Whether by its addresses too: no other site's page has one for its name."""

    def has(self, host: str) -> bool:
        return is_loopback(host) or host == self.public or (self.addresses and address_of(host) is not None)


def _misused(connection: Connection, names: _Names) -> EaselError | None:
    """Why this may be a page that uses its reader's place: what comes without a key rests on that alone."""
    scope = notes_of(connection.scope)
    said = _host_fault(connection, names)
    if not said and scope["method"] not in _READING:
        said = _origin_fault(connection, names)
    return EaselError(ErrorCode.PERMISSION_DENIED, said) if said else None


def _host_fault(connection: Connection, names: _Names) -> str:
    """Other names than this machine's: a web page can point its own name at its address (DNS rebinding)."""
    host = urlsplit(f"//{connection.headers.get('host', '')}").hostname or ""
    if names.has(host):
        return ""
    return f"without an API key this machine may not be called {host!r}; set EASEL_GATEWAY_PUBLIC_URL or use a key"


def _origin_fault(connection: Connection, names: _Names) -> str:
    """What a page of another site sends: browsers send a POST without a body there without asking first."""
    origin = connection.headers.get("origin")
    if origin is None:
        return ""
    asked = urlsplit(origin)
    if asked.netloc == connection.headers.get("host", "") or (asked.hostname and asked.hostname == names.public):
        return ""
    return f"without an API key pages of other sites may change nothing here, {origin!r} neither; use a key"
