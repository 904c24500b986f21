"""What a picture's file carries beside its pixels, by the memory that it takes: Pillow keeps it all."""

from __future__ import annotations

from contracts.sent_pictures import Kind, PictureHeader

MOST_BYTES = 46_000_000
"""For pixels and the rest together."""
_EACH = 1 << 10
"""Bytes at most for a chunk or segment by itself: the objects that hold it."""
_UNPACKED = {b"iCCP": 1 << 20, b"zTXt": 2 << 20}
"""Pillow unpacks 1 MiB at most (`PngImagePlugin.MAX_TEXT_CHUNK`); a text is in memory as bytes and as text."""
_LONGEST_KEYWORD = 80


def fits(data: bytes, header: PictureHeader) -> bool:
    """Whether decoding stays within `MOST_BYTES`."""
    match header.kind:
        case Kind.PNG:
            beside = _png(data, MOST_BYTES - header.decoded_bytes)
        case Kind.JPEG:
            beside = 3 * header.length
        case Kind.WEBP:
            beside = len(data)  # a copy that libwebp works on, while there are the canvases
    return header.decoded_bytes + beside <= MOST_BYTES


def _png(data: bytes, most: int) -> int:
    """Chunks that are not pixels (PNG, 5.3), counted until they are more than `most`."""
    at, found = 8, 0
    while found <= most and at < len(data):
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        if kind == b"IEND":
            break
        if kind != b"IDAT":
            found += _EACH + _chunk(kind, data[at + 8 : at + 8 + _LONGEST_KEYWORD + 1], length)
        at += 12 + length
    return found


def _chunk(kind: bytes, begins: bytes, length: int) -> int:
    if kind == b"iTXt":  # whose text may be of 4 bytes a character in memory
        return 5 << 20 if begins.partition(b"\0")[2][:1] == b"\1" else 6 * length
    return _UNPACKED.get(kind, 3 * length)
