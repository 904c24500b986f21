"""What the gateway notes of a request, for whoever handles it later."""

from __future__ import annotations

from typing import Any, cast

from litestar.types import Scope


def notes_of(scope: Scope) -> dict[str, Any]:
    """The scope itself, to which an application may add (ASGI); Litestar's type knows the server's keys alone."""
    return cast("dict[str, Any]", scope)
