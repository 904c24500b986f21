"""A network between a process and a server that tests can cut, slow down and silence."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self


class Relay:
    """A TCP relay on 127.0.0.1, as a context: its port stays the same whatever happens to it."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.StreamWriter] = set()
        self._carrying: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self.port = 0
        self.delay_s = 0.0
        """What each 64 KiB wait at most before they are passed on, in either direction."""

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def mend(self) -> None:
        """Let connections through."""
        self._flowing.set()
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in list(self._links):
            link.transport.abort()
        self._flowing.set()
        await asyncio.gather(*self._carrying)

    def silence(self) -> None:
        """Carry nothing more, without a word to either end, until `speak` or `cut`."""
        self._flowing.clear()

    def speak(self) -> None:
        """Carry on with all that was held back."""
        self._flowing.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        self._links.add(writer)
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._links.add(far_writer)
            await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
            self._links.discard(far_writer)
        self._links.discard(writer)
        writer.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)  # the slow network itself
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
