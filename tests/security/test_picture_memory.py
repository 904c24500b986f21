"""A picture that is allowed costs a worker 50 MB at most, however it is made"""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from tests.support.bombs import chunk

MOST_BYTES = 50_000_000
PNG, WEBP, JPEG = (4096, 2441), (2048, 1024), (8192, 4096)
"""The largest that are read, or a line less."""

DECODE = """
import contextlib, os, sys
from PIL import Image
from contracts.errors import EaselError
from runtime.worker.images.inputs import decode_image, decode_mask
from tests.support.builders import generate_image
from tests.support.memory import peak_bytes, resident_bytes
Image.init()
sent, request = sys.stdin.buffer.read(), generate_image(width=512, height=512)
before = resident_bytes(os.getpid())
with contextlib.suppress(EaselError):
    (decode_mask if sys.argv[1] == "mask" else decode_image)(sent, request)
print(peak_bytes(os.getpid()) - before)
"""


def encoded(image: Image.Image, kind: str, **how: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def deep_png() -> bytes:
    """Of 16 bits a channel, which Pillow reads and does not write."""
    width, height = PNG
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0))
    squeezed = zlib.compress(bytes((1 + 8 * width) * height), 1)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", squeezed) + chunk(b"IEND", b"")


def noise(mode: str, size: tuple[int, int]) -> Image.Image:
    return Image.frombytes(mode, size, os.urandom(size[0] * size[1] * len(mode)))


ALLOWED: dict[str, Callable[[], bytes]] = {
    "PNG in RGB": lambda: encoded(Image.new("RGB", PNG, "red"), "PNG"),
    "PNG in RGBA": lambda: encoded(Image.new("RGBA", PNG, (255, 0, 0, 9)), "PNG"),
    "PNG in grey": lambda: encoded(Image.new("L", PNG, 9), "PNG"),
    "PNG in grey with alpha": lambda: encoded(Image.new("LA", PNG, (9, 9)), "PNG"),
    "PNG with a palette": lambda: encoded(Image.new("P", PNG, 1), "PNG", transparency=1),
    "PNG of 16 bits, grey": lambda: encoded(Image.new("I;16", PNG, 999), "PNG"),
    "PNG of 16 bits, RGBA": deep_png,
    "PNG that lies": lambda: encoded(Image.new("RGBA", PNG, (255, 0, 0, 9)), "PNG", exif=turned(6)),
    "WebP": lambda: encoded(Image.effect_noise(WEBP, 60).convert("RGB"), "WEBP", method=0),
    "WebP without loss": lambda: encoded(noise("RGBA", WEBP), "WEBP", lossless=True, quality=0, method=0, exact=True),
    "JPEG": lambda: encoded(Image.new("RGB", JPEG, "red"), "JPEG"),
    "JPEG that lies": lambda: encoded(Image.new("RGB", JPEG, "red"), "JPEG", exif=turned(6)),
    "JPEG in CMYK": lambda: encoded(Image.new("CMYK", JPEG), "JPEG"),
    "JPEG before any scaling": lambda: encoded(Image.new("RGB", PNG), "JPEG"),
    "progressive JPEG": lambda: encoded(Image.new("RGB", (4000, 3000)), "JPEG", progressive=True),
    "progressive JPEG in full colour": lambda: encoded(
        Image.new("RGB", (3000, 2000)), "JPEG", progressive=True, subsampling=0
    ),
}


@pytest.mark.parametrize("use", ["picture", "mask"])
@pytest.mark.parametrize("name", ALLOWED)
def test_the_largest_picture_takes_no_more_than_50_mb(name: str, use: str) -> None:
    """In a process of its own, whose largest size is then the picture's doing."""
    command = [sys.executable, "-c", DECODE, use]
    ended = subprocess.run(command, input=ALLOWED[name](), capture_output=True, check=True, timeout=60)
    assert int(ended.stdout) < MOST_BYTES
