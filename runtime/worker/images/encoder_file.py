"""A file that an encoder writes in its thread and the event loop reads while it grows.

So a picture is stored while the rest of it is encoded, and a client waits for little after the last byte.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from typing_extensions import Buffer

PART_BYTES = 3 << 16
"""Written before they are handed over, but for the last: encoding so much as PNG takes longer than storing it, and more
parts hinder it more. Three blocks of Pillow's."""


class EncoderFile(io.RawIOBase):
    """What is written comes out of `reader`, which belongs to the event loop `loop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._written = bytearray()
        self.reader = asyncio.StreamReader(loop=loop)

    def fill(self, encode: Callable[[BinaryIO], None]) -> None:
        """Let `encode` write all of it; what it raises is raised to whoever reads."""
        try:
            encode(cast("BinaryIO", self))
        except Exception as fault:  # noqa: BLE001  carried to the reader, whatever it is
            self._tell(self.reader.set_exception, fault)
        else:
            self._hand_over()
            self._tell(self.reader.feed_eof)

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        before = len(self._written)
        self._written += data
        written = len(self._written) - before
        if len(self._written) >= PART_BYTES:
            self._hand_over()
        return written

    def _hand_over(self) -> None:
        self._tell(self.reader.feed_data, bytes(self._written))
        self._written.clear()

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        self._loop.call_soon_threadsafe(call, *arguments)
