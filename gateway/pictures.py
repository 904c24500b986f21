"""Pictures that clients send: recognised and measured by their headers. Nothing is decoded here; workers do that."""

from __future__ import annotations

import binascii
import io
import string
import struct

import imagesize

from contracts.errors import EaselError, ErrorCode
from contracts.sent_pictures import read_header, refusal

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
    header = read_header(data, param)
    try:
        width, height = imagesize.get(io.BytesIO(data[: header.length or None]))
    except (ValueError, struct.error, OSError, IndexError, KeyError) as fault:
        raise EaselError(ErrorCode.INVALID_REQUEST, f"{param} cannot be read: {fault}", param=param) from fault
    if {width, height} != {header.width, header.height}:
        raise refusal(param, f"cannot be read: it says {header.width}x{header.height} and {width}x{height} pixels")
    return width, height
