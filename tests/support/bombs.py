"""Pictures made to harm whoever decodes them: small files that claim, or unpack to, very much; and broken ones."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UNPACKED = 64 << 20
_MILLION = 1_000_000


def chunk(kind: bytes, body: bytes) -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *between: bytes, pixels: bytes = b"") -> bytes:
    """Grey, with chunks between header and data."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(pixels, 9))
    return b"".join((_SIGNATURE, header, *between, data, chunk(b"IEND", b"")))


def _zeros(count: int) -> bytes:
    return zlib.compress(bytes(count), 9)


def _texts(count: int) -> list[bytes]:
    """Each unpacks to what Pillow bears of one."""
    return [chunk(b"zTXt", b"t%d\0\0" % number + _zeros(1 << 20)) for number in range(count)]


def _jpeg(width: int, height: int, frame: bytes = b"\xff\xc0", scanned: int = 3) -> bytes:
    """Of three components at full resolution, with `scanned` of them in its first scan."""
    size = struct.pack(">BHHB", 8, height, width, 3) + b"\x01\x11\x00\x02\x11\x00\x03\x11\x00"
    scan = bytes([scanned]) + b"".join(bytes([number + 1, 0]) for number in range(scanned)) + b"\x00\x3f\x00"
    segments = frame + struct.pack(">H", len(size) + 2) + size + b"\xff\xda" + struct.pack(">H", len(scan) + 2) + scan
    return b"\xff\xd8" + segments + b"\xff\xd9"


def _webp(width: int, height: int) -> bytes:
    canvas = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", len(canvas)) + canvas


def _animation(kind: str) -> bytes:
    frames, out = [Image.new("RGB", (64, 64), (shade, 0, 0)) for shade in range(0, 250, 50)], io.BytesIO()
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    return out.getvalue()


def refused_by_header() -> dict[str, bytes]:
    """What says of itself, in its first bytes, that it must not be decoded."""
    return {
        "PNG that claims 50000x50000": png(50_000, 50_000),
        "PNG of 9000x9000 zeros": png(9000, 9000, pixels=bytes(9000 * 9001)),
        "PNG of 12 megapixels": png(4000, 3000, pixels=bytes(3000 * 4001)),
        "PNG without a pixel": png(0, 0),
        "JPEG that claims 65535x65535": _jpeg(65_535, 65_535),
        "JPEG of 35 megapixels": _jpeg(8000, 4400),
        "progressive JPEG of 12 megapixels": _jpeg(4000, 3000, frame=b"\xff\xc2"),
        "JPEG of 12 megapixels in three scans": _jpeg(4000, 3000, scanned=1),
        "JPEG of a million segments": b"\xff\xd8" + b"\xff\xfe\x00\x02" * _MILLION,
        "JPEG that ends after its signature": b"\xff\xd8\xff",
        "WebP that claims 16384x16384": _webp(16_384, 16_384),
        "WebP of 4 megapixels": _webp(2048, 2048),
        "WebP animation": _animation("WEBP"),
        "WebP that ends after its signature": b"RIFF\x04\x00\x00\x00WEBP",
        "GIF animation": _animation("GIF"),
        "GIF that claims 65535x65535": b"GIF89a\xff\xff\xff\xff\x00\x00\x00;",
        "no picture": b"<svg xmlns='http://www.w3.org/2000/svg' width='50000' height='50000'/>",
        "nothing": b"",
    }


def refused_in_decoding() -> dict[str, bytes]:
    """What looks like a small picture."""
    row = bytes(65)
    return {
        "PNG with a profile of 64 MiB": png(64, 64, chunk(b"iCCP", b"p\0\0" + _zeros(_UNPACKED)), pixels=row * 64),
        "PNG with a text of 64 MiB": png(64, 64, chunk(b"zTXt", b"t\0\0" + _zeros(_UNPACKED)), pixels=row * 64),
        "PNG with fifty texts of 1 MiB": png(64, 64, *_texts(50), pixels=row * 64),
        "PNG of half a million chunks": png(64, 64, chunk(b"prVt", b"") * (_MILLION // 2), pixels=row * 64),
        "PNG whose data never come": png(64, 64),
        "PNG whose data are none": png(64, 64).replace(b"IDAT", b"IDAX"),
        "JPEG without data": _jpeg(64, 64),
        "WebP without data": _webp(64, 64),
    }
