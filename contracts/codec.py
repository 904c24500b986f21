"""Bytes to struct and back, with a schema version in front.

A message is the msgpack array `[version, body]`. Within a version only fields with defaults are added, and readers
pass over fields that they do not know, so old and new processes share one bus during an upgrade. A change that an old
reader could misread raises `SCHEMA_VERSION`; such a message is refused by name instead of guessed at.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

SCHEMA_VERSION = 1

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()
_envelope: msgspec.msgpack.Decoder[tuple[int, msgspec.Raw]] = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])
_decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


class SchemaMismatch(Exception):  # noqa: N818  a state of affairs between two versions
    """A message that this version of Easel cannot read: written by a newer major version, or not by Easel at all."""


def encode(message: msgspec.Struct) -> bytes:
    """One message as it travels."""
    return _encoder.encode((SCHEMA_VERSION, message))


def decode(data: bytes, kind: type[T]) -> T:
    """The message in `data`, which must be a `kind` (a struct or a tagged union of structs).

    Raises:
        SchemaMismatch: another schema version, an unknown tag, or not a message.
    """
    try:
        version, body = _envelope.decode(data)
        if version != SCHEMA_VERSION:
            raise SchemaMismatch(
                f"message has schema version {version}, this process reads {SCHEMA_VERSION}: upgrade it"
            )
        decoder = _decoders.get(kind)
        if decoder is None:
            decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
        message: T = decoder.decode(body)
    except msgspec.MsgspecError as fault:
        raise SchemaMismatch(f"not a readable {kind}: {fault}") from fault
    return message
