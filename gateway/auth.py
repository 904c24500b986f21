"""Who asks: API keys where there are any, this machine alone where there are none."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection, Request
from litestar.handlers import BaseRouteHandler

from contracts.errors import EaselError, ErrorCode
from gateway.keys import Keyring, Scope
from gateway.observe import BEGAN
from gateway.settings import GatewaySettings, is_loopback

Connection = ASGIConnection[Any, Any, Any, Any]
HttpRequest = Request[Any, Any, Any]
_OWNER = "easel.owner"
_SCOPES = "easel.scopes"
_READING = ("GET", "HEAD")

OPEN = {"open_to_all": True}
"""`opt` of routes that answer without a key."""
_SCOPE = "scope"


def needs(scope: Scope) -> dict[str, Scope]:
    """`opt` of routes that need another scope than their method tells: reading for GET, else drawing."""
    return {_SCOPE: scope}


def make_guard(settings: GatewaySettings) -> Callable[[Connection, BaseRouteHandler], None]:
    """The check that every route passes before its body is read. Sets what `owner` returns.

    Raises:
        KeysFileError: the keys file cannot be read.
    """
    keyring = Keyring(Path(settings.keys_file)) if settings.keys_file else None
    own_host = urlsplit(settings.public_url).hostname

    def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        scope: dict[str, Any] = connection.scope  # type: ignore[assignment]
        scope[BEGAN] = time.perf_counter()
        if keyring is None:
            _check_host(connection, own_host)
            if scope["method"] not in _READING:
                _check_origin(connection, own_host)
            scope[_OWNER] = None
            return
        token = token_of(connection.headers)
        key = keyring.find(token) if token else None
        scope[_OWNER] = key.id if key and not key.expired else ""
        scope[_SCOPES] = key.scopes if key else ()
        if handler.opt.get("open_to_all"):
            return
        if key is not None:
            key.check(handler.opt.get(_SCOPE) or (Scope.READ if scope["method"] in _READING else Scope.GENERATE))
        else:
            said = "this API key does not exist" if token else "an API key is needed: Authorization: Bearer <key>"
            raise EaselError(ErrorCode.UNAUTHENTICATED, said)

    return guard


def owner(request: HttpRequest) -> str | None:
    """Id of the caller's key; None where no keys are in use and everyone sees every job."""
    notes: dict[str, Any] = request.scope  # type: ignore[assignment]
    found: str | None = notes.get(_OWNER)
    return found


def may(request: HttpRequest, scope: Scope) -> bool:
    """Whether the caller's key has a scope; False where no keys are in use."""
    notes: dict[str, Any] = request.scope  # type: ignore[assignment]
    return scope in notes.get(_SCOPES, ())


def is_known(request: HttpRequest) -> bool:
    """Whether the caller may see more than that the gateway lives."""
    return owner(request) != ""


def token_of(headers: Any) -> str:
    """The token in any of the headers that clients use; "" for none. An empty header counts as none."""
    scheme, _, value = (headers.get("authorization") or "").strip().partition(" ")
    match scheme.lower():
        case "bearer" if value.strip():
            return str(value.strip())
        case "basic" if value.strip():
            return _password(value.strip())
    return str(headers.get("x-api-key") or headers.get("api-key") or "").strip()


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _check_host(connection: Connection, own_host: str | None) -> None:
    """Refuse other names than this machine's: a web page can point its own name at 127.0.0.1 (DNS rebinding)."""
    host = urlsplit(f"//{connection.headers.get('host', '')}").hostname or ""
    if not is_loopback(host) and host != own_host:
        message = f"without API keys only this machine may ask, not {host!r}; set EASEL_GATEWAY_PUBLIC_URL or use keys"
        raise EaselError(ErrorCode.PERMISSION_DENIED, message)


def _check_origin(connection: Connection, own_host: str | None) -> None:
    """Refuse what a page of another site sends: browsers send a POST without a body there without asking first."""
    origin = connection.headers.get("origin")
    if origin is None:
        return
    asked = urlsplit(origin)
    if asked.netloc != connection.headers.get("host", "") and (own_host is None or asked.hostname != own_host):
        message = f"without API keys pages of other sites may change nothing here, {origin!r} neither; use keys"
        raise EaselError(ErrorCode.PERMISSION_DENIED, message)
