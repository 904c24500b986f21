"""What the programs share: addresses, a picture to change, and what became of a job. Standard library only."""

from __future__ import annotations

import json
import os
import struct
import time
import urllib.request
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

E = TypeVar("E", bound=Exception)

URL = os.environ["EASEL_URL"]
KEY = os.environ["EASEL_KEY"]
PNG = b"\x89PNG\r\n\x1a\n"
LONG = 1500
"""Steps of a drawing that is still at work when it is cancelled."""


def get(path: str) -> bytes:
    request = urllib.request.Request(path if "://" in path else URL + path, headers={"x-api-key": KEY})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def eventually(look: Callable[[], Any], within_s: float = 60) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    return found


def state_of(prompt: str) -> str:
    """Of the newest job with the prompt; "" when there is none."""
    jobs = json.loads(get("/jobs"))["jobs"]
    return next((job["status"] for job in jobs if job["prompt"] == prompt), "")


def png(side: int = 64, *, alpha: bool = False) -> bytes:
    """A blue square; with alpha its right half is transparent."""
    half = side // 2
    row = b"\0" + (b"\0\0\x80\xff" * half + b"\0\0\x80\0" * half if alpha else b"\0\0\x80" * side)
    header = struct.pack(">IIBBBBB", side, side, 8, 6 if alpha else 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * side)), (b"IEND", b""))
    return PNG + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def size(data: bytes) -> tuple[int, int]:
    """Of a PNG."""
    assert data.startswith(PNG), data[:16]
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def refusal(kind: type[E], call: Callable[[], Any]) -> E:
    """What `call` raises, which must be a `kind`."""
    try:
        call()
    except kind as fault:
        return fault
    raise AssertionError("it was not refused")
