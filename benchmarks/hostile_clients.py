"""`python -m benchmarks.hostile_clients PORT KIND…`: harm a gateway until the end; says `ready` when it has begun."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
from collections.abc import Iterable

from tests.support import bombs

SLOW = 50
"""Connections of each slow kind."""
DRIBBLE_S = 0.5
"""Between two bytes of a slow client."""
PAUSE_S = 0.1
"""Between two requests of a client that sends bombs."""
_POST = "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"


async def _slowly(port: int, beginning: bytes) -> None:
    """Send a byte now and then; come back when cut."""
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(beginning)
            while not writer.is_closing():
                await asyncio.sleep(DRIBBLE_S)
                writer.write(b"a")
                await writer.drain()


async def _one_after_another(port: int, requests: Iterable[bytes]) -> None:
    while True:
        for request in requests:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(request)
                await writer.drain()
                await reader.readline()
                writer.close()
            await asyncio.sleep(PAUSE_S)


def _post(path: str, body: bytes) -> bytes:
    return _POST.format(path=path, length=len(body)).encode() + body


def _bombs() -> list[bytes]:
    """Small files, in the field for a picture to start from."""
    made = (bombs.refused_by_header() | bombs.refused_in_decoding()).values()
    pictures = [base64.b64encode(bomb).decode() for bomb in made if 0 < len(bomb) < 1 << 20]
    return [_post("/generate", json.dumps({"prompt": "a", "init_image": text}).encode()) for text in pictures]


def _bodies() -> list[bytes]:
    """Of 4 MB, made to be slow to read or large in memory."""
    count = (4 << 20) // 3
    segments = base64.b64encode(b"\xff\xd8" + b"\xff\xfe\x00\x02" * 750_000)
    return [
        _post("/generate", b'{"prompt":"a","mode":[' + b"[]," * count + b"1]}"),
        _post("/generate", b'{"prompt":"a","init_image":"' + b"AA " * count + b'"}'),
        _post("/generate", b'{"prompt":"a","init_image":"data:,' + b"%41" * count + b'"}'),
        _post("/generate", b'{"prompt":"a","init_image":"' + segments + b'"}'),
    ]


async def main(port: int, kinds: list[str]) -> None:
    """Run the clients of all `kinds` at once."""
    clients = {
        "headers": lambda: [_slowly(port, b"GET /livez HTTP/1.1\r\nx-a: ") for _ in range(SLOW)],
        "bodies": lambda: [
            _slowly(port, _POST.format(path="/generate", length=9999).encode() + b"{") for _ in range(SLOW)
        ],
        "bombs": lambda: [_one_after_another(port, _bombs()) for _ in range(2)],
        "large": lambda: [_one_after_another(port, _bodies())],
    }
    running = [client for kind in kinds for client in clients[kind]()]
    print("ready", flush=True)
    await asyncio.gather(*running)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
