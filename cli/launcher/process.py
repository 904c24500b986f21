"""One supervised process: started in a session of its own, restarted when it crashes, stopped with all its children."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cli.launcher import process_group
from cli.launcher.log_file import LogFile
from runtime.process.waiting import first, until

_LONGEST_LINE = 1 << 20
_DRAIN_S = 2.0
_NOT_STARTED = 127
"""As shells say it."""


@dataclass(frozen=True)
class ProcessSpec:
    """What to run."""

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    stop_s: float = 10.0
    """Seconds from SIGTERM to SIGKILL."""


@dataclass(frozen=True)
class Backoff:
    """How long a crashed process stays down: doubled at each crash, forgotten after `reset_s` of health."""

    first_s: float = 0.5
    limit_s: float = 30.0
    reset_s: float = 60.0

    def pauses(self) -> Callable[[float], float]:
        """`ran_s -> seconds to wait`, called at each crash."""
        crashes = 0

        def pause(ran_s: float) -> float:
            nonlocal crashes
            crashes = 1 if ran_s >= self.reset_s else crashes + 1
            return min(self.first_s * 2.0 ** min(crashes - 1, 30), self.limit_s)

        return pause


DEFAULT_BACKOFF = Backoff()


class ManagedProcess:
    """`supervise` runs until `stop`; `on_line` gets each line of output, `on_crash` each end that nobody asked for."""

    def __init__(
        self,
        spec: ProcessSpec,
        log: LogFile,
        *,
        backoff: Backoff,
        on_line: Callable[[str, str], None],
        on_start: Callable[[], None] = lambda: None,
        on_crash: Callable[[ManagedProcess, int, float], None],
    ) -> None:
        self.spec = spec
        self.log = log
        self.pid: int | None = None
        """Of the running process, which leads a process group of the same number; None while it is down."""
        self._backoff = backoff
        self._on_line = on_line
        self._on_start = on_start
        self._on_crash = on_crash
        self._stop = asyncio.Event()
        self._kill = asyncio.Event()

    def stop(self) -> None:
        """Ask it to end; `supervise` returns when it has."""
        self._stop.set()

    def kill(self) -> None:
        """Insist."""
        self._stop.set()
        self._kill.set()

    async def supervise(self) -> None:
        """Run it, and again after each crash, until `stop`."""
        pause_after, loop = self._backoff.pauses(), asyncio.get_running_loop()
        while not self._stop.is_set():
            began = loop.time()
            status = await self._run()
            if self._stop.is_set():
                return
            pause_s = pause_after(loop.time() - began)
            self._on_crash(self, status, pause_s)
            await until(self._stop, pause_s)

    async def _run(self) -> int:
        """Its exit status, negative for a signal; nothing of its process group is left."""
        # a pipe of our own: asyncio's would make `wait` last until every heir of the pipe has closed it
        read_end, write_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *self.spec.argv,
                env=dict(self.spec.environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                start_new_session=True,
                preexec_fn=process_group.dies_with(os.getpid()),
            )
        except OSError as fault:
            os.close(read_end)
            self._line(f"cannot start {self.spec.argv[0]}: {fault.strerror}".encode())
            return _NOT_STARTED
        finally:
            os.close(write_end)
        self.pid = process.pid
        self._on_start()
        lines = asyncio.create_task(self._pump(read_end))
        try:
            return await self._until_ended(process)
        finally:
            self.pid = None
            # a grandchild in a session of its own may hold the pipe for ever
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_S):
                    await lines

    async def _until_ended(self, process: asyncio.subprocess.Process) -> int:
        ended = asyncio.create_task(process.wait())
        try:
            await first(asyncio.shield(ended), self._stop.wait())
            if not ended.done():
                process.terminate()
                await first(asyncio.shield(ended), self._kill.wait(), asyncio.sleep(self.spec.stop_s))
        finally:
            process_group.send(process.pid, signal.SIGKILL)
        status = await ended
        await process_group.gone(process.pid)
        return status

    async def _pump(self, read_end: int) -> None:
        reader = asyncio.StreamReader()
        with os.fdopen(read_end, "rb", buffering=0) as pipe:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
            rest = b""
            while chunk := await reader.read(1 << 16):
                *whole, rest = (rest + chunk).split(b"\n")
                if len(rest) > _LONGEST_LINE:
                    whole, rest = [*whole, rest], b""
                for line in whole:
                    self._line(line)
            if rest:
                self._line(rest)
            transport.close()

    def _line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip()
        self.log.write(text)
        self._on_line(self.spec.name, text)
