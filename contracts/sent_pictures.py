"""What a picture that a client sends may be, by its first bytes: asked by gateways, and by workers before decoding.

The limits follow from what decoding takes in memory. Pillow keeps 4 bytes for a pixel of any colour. libwebp needs two
canvases of the same, and Pillow a copy of the pixels. A JPEG can be decoded at a half, a quarter or an eighth; but
one that comes in several scans (progressive, mostly) has all its coefficients in memory, of 2 bytes, at any scale
(libjpeg-turbo, jdcoefct.c).
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from contracts.errors import EaselError, ErrorCode


class Kind(StrEnum):
    """A format that is read."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WebP"


MAX_SIDE = 8192
MOST_DECODED = 10_000_000
"""Pixels of a picture in memory; what a JPEG has more of is left out."""
_PIXEL_BYTES = {Kind.PNG: 4, Kind.JPEG: 4, Kind.WEBP: 16}
_MOST_BYTES = 4 * MOST_DECODED
_SCALES = (1, 2, 4, 8)


MAX_PIXELS = {Kind.PNG: MOST_DECODED, Kind.JPEG: 32 << 20, Kind.WEBP: 2 << 20}
"""A screenshot of a 4K screen has 8.3 million; one in full HD 2.1."""
_INSTEAD = {Kind.PNG: ", or send a JPEG", Kind.JPEG: "", Kind.WEBP: ", or send a PNG or JPEG"}

_FLAGS, _ANIMATED = 20, 0x02
"""Place and bit in the VP8X chunk, which comes first where it is there."""
_MOST_SEGMENTS = 256
"""Of a JPEG before its data: real ones have some dozens, of 64 KiB each."""
_FRAMES = frozenset((0xC0, 0xC1, 0xC2, 0xC9, 0xCA))
"""Starts of frame (ITU-T T.81, table B.1) of what libjpeg decodes at all scales: no lossless or hierarchical ones."""
_PROGRESSIVE = frozenset((0xC2, 0xCA))
_START_OF_SCAN = 0xDA
_SUBSAMPLING, _SIZE = 11, 5
"""Places in a frame's segment, from its marker on; each component has 3 bytes, the second being its sampling."""


class PictureHeader(NamedTuple):
    """Of a picture within the limits."""

    kind: Kind
    width: int
    """Pixels, as stored: EXIF may turn them."""
    height: int
    length: int
    """Bytes before the pixels' data; of a JPEG alone, else 0."""
    coefficients: int = 0
    """Bytes that decoding keeps at any scale."""

    @property
    def scale(self) -> int:
        """1, 2, 4 or 8: what its sides are divided by in decoding; 0 when it is too large even so."""
        scales = _SCALES if self.kind is Kind.JPEG else _SCALES[:1]
        return next((scale for scale in scales if self._bytes(scale) <= _MOST_BYTES), 0)

    @property
    def decoded_bytes(self) -> int:
        """Memory that decoding takes at most, for the pixels."""
        return self._bytes(self.scale)

    def _bytes(self, scale: int) -> int:
        return self.coefficients + _PIXEL_BYTES[self.kind] * self.width * self.height // scale**2


def read_header(data: bytes, param: str) -> PictureHeader:
    """What the file says of itself.

    Raises:
        EaselError: INVALID_REQUEST: it is no PNG, JPEG or WebP picture, is cut short, an animation or beyond a limit.
    """
    header = _header(data, param)
    pixels, most = header.width * header.height, MAX_PIXELS[header.kind]
    has = f"has {header.width}x{header.height} pixels"
    if min(header.width, header.height) < 1:
        raise refusal(param, "is cut short: it does not say its size")
    if max(header.width, header.height) > MAX_SIDE or pixels > most:
        instead = "" if max(header.width, header.height) > MAX_SIDE else _INSTEAD[header.kind]
        said = f"{has}; of a {header.kind} at most {MAX_SIDE} a side and {most} in all are read: make it smaller"
        raise refusal(param, said + instead)
    if not header.scale:
        said = f"{has} in a progressive JPEG, which are too many to decode: make it smaller, or save it as baseline"
        raise refusal(param, said)
    return header


def refusal(param: str, said: str) -> EaselError:
    """For whoever sent the picture."""
    return EaselError(ErrorCode.INVALID_REQUEST, f"{param} {said}", param=param)


def _header(data: bytes, param: str) -> PictureHeader:
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        ihdr = data[12:24] if data[12:16] == b"IHDR" else b""
        return PictureHeader(Kind.PNG, int.from_bytes(ihdr[4:8]), int.from_bytes(ihdr[8:12]), 0)
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if (data[:4], data[8:12]) == (b"RIFF", b"WEBP"):
        if data[12:16] == b"VP8X" and data[_FLAGS : _FLAGS + 1] > b"" and data[_FLAGS] & _ANIMATED:
            raise refusal(param, "is an animation; send one picture of it")
        return PictureHeader(Kind.WEBP, *_webp_size(data), 0)
    raise refusal(param, "is not a PNG, JPEG or WebP picture")


def _webp_size(data: bytes) -> tuple[int, int]:
    """RFC 9649, sections 2.5 to 2.7; zeros where it is cut short."""
    match data[12:16], len(data) >= 30:  # noqa: PLR2004  the longest of the three
        case b"VP8X", True:
            return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
        case b"VP8L", True:
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ", True:
            return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
        case _:
            return 0, 0


def _jpeg(data: bytes) -> PictureHeader:
    """From the frame, and the first scan: whether that has all components says whether there are more scans."""
    at, frame = 2, b""
    for _ in range(_MOST_SEGMENTS):
        marker = data[at : at + 4]
        if len(marker) < 4 or marker[0] != 0xFF:  # noqa: PLR2004  0xFF begins each marker, whose length is two bytes
            break
        if marker[1] == _START_OF_SCAN and frame:
            return _framed(frame, data[at + 4 : at + 5], at)
        end = at + (1 if marker[1] == 0xFF else 2 + int.from_bytes(marker[2:]))  # noqa: PLR2004  a fill byte
        if marker[1] in _FRAMES and end <= len(data):
            frame = data[at:end]
        at = end
    return PictureHeader(Kind.JPEG, 0, 0, 0)


def _framed(frame: bytes, in_scan: bytes, length: int) -> PictureHeader:
    height, width = (int.from_bytes(frame[at : at + 2]) for at in (_SIZE, _SIZE + 2))
    samplings = [(it >> 4, it & 0xF) for it in frame[_SUBSAMPLING::3]]
    coefficients = 0
    if samplings and (frame[1] in _PROGRESSIVE or in_scan != bytes([len(samplings)])):
        finest = max(across for across, _ in samplings) * max(down for _, down in samplings) or 1
        coefficients = 2 * width * height * sum(across * down for across, down in samplings) // finest
    return PictureHeader(Kind.JPEG, width, height, length, coefficients)
