"""Pictures that clients send: recognised and measured by their headers. Nothing is decoded here; workers do that."""

from __future__ import annotations

import base64
import binascii
import io
import struct
from urllib.parse import unquote_to_bytes

import imagesize

from contracts.errors import EaselError, ErrorCode

MAX_SIDE = 8192
"""Pixels; workers read no more (`runtime.worker.images.inputs`)."""
MAX_PIXELS = 32 << 20
_WEBP = slice(8, 12)


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
    try:
        if comma and not head.lower().endswith(";base64"):
            return unquote_to_bytes(rest)
        return base64.b64decode("".join(rest.split()), validate=True)
    except (binascii.Error, ValueError) as fault:
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
        width, height = imagesize.get(io.BytesIO(data))
    except (ValueError, struct.error, OSError, IndexError, KeyError) as fault:
        raise EaselError(ErrorCode.INVALID_REQUEST, f"{param} cannot be read: {fault}", param=param) from fault
    if min(width, height) < 1:
        raise EaselError(ErrorCode.INVALID_REQUEST, f"{param} is cut short: it does not say its size", param=param)
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        said = f"{param} has {width}x{height} pixels; at most {MAX_SIDE} a side and {MAX_PIXELS} in all are read"
        raise EaselError(ErrorCode.INVALID_REQUEST, said, param=param)
    return width, height
