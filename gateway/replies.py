"""Answers encoded once: msgspec writes pictures (`bytes` fields) as base64 straight into the body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response
from litestar.enums import MediaType

Answer = Response[bytes]

_encoder = msgspec.json.Encoder()
_NOT_IN_A_HEADER = dict.fromkeys((*range(32), 127), " ")


def json_reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """`body` as JSON."""
    return Response(_encoder.encode(body), status_code=status, media_type=MediaType.JSON, headers=dict(headers or {}))


def note_headers(**notes: str) -> dict[str, str]:
    """`x-easel-…` headers of the notes that say something, in characters that a header may hold."""
    return {
        f"x-easel-{name.replace('_', '-')}": text.translate(_NOT_IN_A_HEADER).encode("ascii", "replace").decode()
        for name, text in notes.items()
        if text
    }
