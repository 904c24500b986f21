"""The texts inside a PNG (W3C PNG, section 11.3.3), without decoding a pixel."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from contracts.errors import EaselError, ErrorCode
from gateway.api.sdapi import schemas

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEY = re.compile(r"[\w ]+")
_LONGEST_LINE = 1 << 16
"""Characters of the line of pairs; a longer one is no web UI's."""
_MOST_CHUNKS = 10_000
_MOST_TEXT = 1 << 20
"""Bytes of all texts together."""
_TEXTS = (b"tEXt", b"iTXt")
_NEGATIVE = "Negative prompt: "


def read_png_info(data: bytes) -> schemas.PngInfoAnswer:
    """Every text of the picture, and the one called `parameters` taken apart.

    Raises:
        EaselError: INVALID_REQUEST, `param` being `image`.
    """
    if not data.startswith(_SIGNATURE):
        raise EaselError(ErrorCode.INVALID_REQUEST, "image is not a PNG picture", param="image")
    if sum(len(body) for kind, body in _chunks(data) if kind in _TEXTS) > _MOST_TEXT:
        raise EaselError(ErrorCode.INVALID_REQUEST, f"image has more than {_MOST_TEXT} bytes of text", param="image")
    items = dict(_texts(data))
    info = items.get("parameters", "")
    return schemas.PngInfoAnswer(info=info, items=items, parameters=_parameters(info))


def _texts(data: bytes) -> Iterator[tuple[str, str]]:
    """Key and text of each uncompressed chunk of text."""
    for kind, body in _chunks(data):
        key, _, rest = body.partition(b"\0")
        if kind == b"tEXt":
            yield key.decode("latin-1"), rest.decode("latin-1")
        elif kind == b"iTXt" and rest[:1] == b"\0":  # not compressed; then language and translated key
            yield key.decode("latin-1"), rest[2:].split(b"\0", 2)[-1].decode("utf-8", "replace")


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The first of them, so many as real pictures have."""
    at, count = len(_SIGNATURE), 0
    while at + 12 <= len(data) and count < _MOST_CHUNKS:
        count += 1
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + 8 + size]
        at += 12 + size


def _parameters(text: str) -> dict[str, str]:
    """As the web UI names them; empty for a text in another form."""
    *lines, last = text.strip().split("\n")
    pairs = dict(_pairs(last)) if len(last) <= _LONGEST_LINE else {}
    if not text or "Steps" not in pairs:
        return {}
    start = next((number for number, line in enumerate(lines) if line.startswith(_NEGATIVE)), len(lines))
    prompt, negative = "\n".join(lines[:start]), "\n".join(lines[start:]).removeprefix(_NEGATIVE)
    return {"Prompt": prompt, "Negative prompt": negative, **pairs}


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """Of `Key: value, …`; within double quotes a comma is one of the value's own."""
    for part in _parts(line):
        key, colon, value = part.partition(":")
        if colon and _KEY.fullmatch(key.strip()):
            yield key.strip(), value.strip().strip('"')


def _parts(line: str) -> Iterator[str]:
    """Read letter by letter: a regular expression for this takes minutes on lines that are made for it."""
    begun, quoted, escaped = 0, False, False
    for at, letter in enumerate(line):
        if letter == '"' and not escaped:
            quoted = not quoted
        if letter == "," and not quoted:
            yield line[begun:at]
            begun = at + 1
        escaped = letter == "\\" and not escaped
    yield line[begun:]
