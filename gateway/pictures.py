"""Pictures that clients send: recognised and measured by their headers. Nothing is decoded here; workers do that."""

from __future__ import annotations

import binascii
import io
import string
import struct

import imagesize

from contracts.errors import EaselError, ErrorCode

MAX_SIDE = 8192
"""Pixels; workers read no more (`runtime.worker.images.inputs`)."""
MAX_PIXELS = 32 << 20
_WEBP = slice(8, 12)
_FLAGS, _ANIMATED = 20, 0x02
"""Place and bit in the VP8X chunk, which comes first where it is there."""
_MOST_SEGMENTS = 256
"""Of a JPEG before its size: real ones have some dozens, of 64 KiB each."""
_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start of frame (ITU-T T.81, table B.1)."""
_WHITESPACE = dict.fromkeys(map(ord, string.whitespace))


def sent_picture(text: str, param: str) -> bytes | str:
    """The picture in a data URL or in bare base64; an address on the web as it is, for `gateway.web_pictures`.

    Raises:
        EaselError: INVALID_REQUEST.
    """
    return text if text[:8].lower().startswith(("http://", "https://")) else picture_from_text(text, param)


def picture_from_text(text: str, param: str) -> bytes:
    """The picture in a data URL or in bare base64.

    Raises:
        EaselError: INVALID_REQUEST.
    """
    head, comma, rest = text.partition(",") if text[:5].lower() == "data:" else ("", "", text)
    if comma and not head.lower().endswith(";base64"):
        raise EaselError(ErrorCode.INVALID_REQUEST, f"{param} is a data URL without ;base64", param=param)
    if any(space in rest for space in string.whitespace):
        rest = rest.translate(_WHITESPACE)
    try:
        return binascii.a2b_base64(rest, strict_mode=True)
    except ValueError as fault:
        raise EaselError(ErrorCode.INVALID_REQUEST, f"{param} is not base64: {fault}", param=param) from fault


def picture_size(data: bytes | str, param: str) -> tuple[int, int]:
    """Width and height in pixels, as seen upright.

    Raises:
        EaselError: INVALID_REQUEST when it is no PNG, JPEG or WebP picture, has too many pixels, or is an address that
            was not fetched.
    """
    if isinstance(data, str):
        message = f"{param} is an address, and nothing is fetched from there; send the picture as a data URL or base64"
        raise EaselError(ErrorCode.INVALID_REQUEST, message, param=param)
    if not (data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (data[:4], data[_WEBP]) == (b"RIFF", b"WEBP")):
        raise EaselError(ErrorCode.INVALID_REQUEST, f"{param} is not a PNG, JPEG or WebP picture", param=param)
    try:
        width, height = imagesize.get(io.BytesIO(_header(data)))
    except (ValueError, struct.error, OSError, IndexError, KeyError) as fault:
        raise EaselError(ErrorCode.INVALID_REQUEST, f"{param} cannot be read: {fault}", param=param) from fault
    if data[_WEBP] == b"WEBP" and data[12:16] == b"VP8X" and data[_FLAGS] & _ANIMATED:
        raise EaselError(ErrorCode.INVALID_REQUEST, f"{param} is an animation; send one picture of it", param=param)
    if min(width, height) < 1:
        raise EaselError(ErrorCode.INVALID_REQUEST, f"{param} is cut short: it does not say its size", param=param)
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        said = f"{param} has {width}x{height} pixels; at most {MAX_SIDE} a side and {MAX_PIXELS} in all are read"
        raise EaselError(ErrorCode.INVALID_REQUEST, said, param=param)
    return width, height


def _header(data: bytes) -> bytes:
    """What tells a file's size: of a JPEG no more than its first segments, which may be millions."""
    if not data.startswith(b"\xff\xd8"):
        return data
    at = 2
    for _ in range(_MOST_SEGMENTS):
        marker = data[at : at + 4]
        if len(marker) < 4 or marker[0] != 0xFF:  # noqa: PLR2004  0xFF begins each marker, whose length is two bytes
            break
        at += 1 if marker[1] == 0xFF else 2 + int.from_bytes(marker[2:])  # noqa: PLR2004  a fill byte
        if marker[1] in _SIZE_MARKERS:
            return data[:at]
    return b""
