"""One supervised process at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cli.launcher.log_file import LogFile
from cli.launcher.process import Backoff, ManagedProcess, ProcessSpec
from tests.cli.processes import alive

QUICK = Backoff(first_s=0.01, limit_s=0.02)


class Watched:
    """A process with its lines and crashes in queues."""

    def __init__(self, script: str, log: LogFile, backoff: Backoff, stop_s: float, argv: tuple[str, ...] = ()) -> None:
        self.lines: asyncio.Queue[str] = asyncio.Queue()
        self.crashes: asyncio.Queue[tuple[int, float]] = asyncio.Queue()
        spec = ProcessSpec("child", argv or (sys.executable, "-u", "-c", script), os.environ, stop_s=stop_s)
        self.process = ManagedProcess(
            spec,
            log,
            backoff=backoff,
            on_line=lambda _, line: self.lines.put_nowait(line),
            on_crash=lambda _, status, pause_s: self.crashes.put_nowait((status, pause_s)),
        )
        self.task = asyncio.create_task(self.process.supervise())

    async def stopped(self) -> None:
        self.process.stop()
        await asyncio.wait_for(self.task, 20)


@contextlib.asynccontextmanager
async def watched(
    script: str, folder: Path, *, backoff: Backoff = QUICK, stop_s: float = 20.0, argv: tuple[str, ...] = ()
) -> AsyncIterator[Watched]:
    log = LogFile(folder / "child.log")
    child = Watched(script, log, backoff, stop_s, argv)
    try:
        yield child
    finally:
        child.process.kill()
        await asyncio.wait_for(child.task, 20)
        log.close()


async def test_a_crash_is_restarted_after_growing_pauses(tmp_path: Path) -> None:
    async with watched("raise SystemExit(7)", tmp_path, backoff=Backoff(first_s=0.01, limit_s=0.03)) as child:
        crashes = [await asyncio.wait_for(child.crashes.get(), 20) for _ in range(4)]
    assert crashes == [(7, 0.01), (7, 0.02), (7, 0.03), (7, 0.03)]


def test_the_pause_starts_over_after_a_healthy_run() -> None:
    pause = Backoff().pauses()
    assert [pause(0), pause(1), pause(59), pause(60), pause(0)] == [0.5, 1.0, 2.0, 0.5, 1.0]
    assert [pause(0) for _ in range(100)][-1] == 30.0


async def test_its_lines_are_kept_in_its_log_and_handed_on(tmp_path: Path) -> None:
    script = "import sys, signal; print('one'); print('two', file=sys.stderr); signal.pause()"
    async with watched(script, tmp_path) as child:
        assert [await asyncio.wait_for(child.lines.get(), 20) for _ in range(2)] == ["one", "two"]
        await child.stopped()
    assert (tmp_path / "child.log").read_text() == "one\ntwo\n"


async def test_an_endless_line_does_not_grow_without_limit(tmp_path: Path) -> None:
    async with watched("print('x' * (3 << 20)); import signal; signal.pause()", tmp_path) as child:
        assert len(await asyncio.wait_for(child.lines.get(), 20)) < 2 << 20


async def test_stop_asks_with_sigterm_and_counts_as_no_crash(tmp_path: Path) -> None:
    script = """
import signal, sys
def end(*_): print('bye'); sys.exit(3)
signal.signal(signal.SIGTERM, end); print('here'); signal.pause()
"""
    async with watched(script, tmp_path) as child:
        await asyncio.wait_for(child.lines.get(), 20)
        await child.stopped()
        assert await child.lines.get() == "bye"
        assert child.crashes.empty()


STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here')\nwhile True: signal.pause()"


async def test_what_ignores_sigterm_is_killed_at_its_deadline(tmp_path: Path) -> None:
    async with watched(STUBBORN, tmp_path, stop_s=0.05) as child:
        await asyncio.wait_for(child.lines.get(), 20)
        pid = child.process.pid
        await child.stopped()
        assert pid is not None
        assert not alive(pid)


async def test_the_children_of_a_child_go_with_it(tmp_path: Path) -> None:
    script = """
import subprocess, sys, signal
print(subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']).pid); signal.pause()
"""
    async with watched(script, tmp_path) as child:
        grandchild = int(await asyncio.wait_for(child.lines.get(), 20))
        assert child.process.pid is not None
        os.kill(child.process.pid, signal.SIGKILL)
        await asyncio.wait_for(child.crashes.get(), 20)
        assert not alive(grandchild)


async def test_a_program_that_is_not_there_is_a_crash_with_a_reason(tmp_path: Path) -> None:
    async with watched("", tmp_path, argv=("/nowhere/program",)) as child:
        assert (await asyncio.wait_for(child.crashes.get(), 20))[0] == 127
        assert await child.lines.get() == "cannot start /nowhere/program: No such file or directory"


async def test_a_stop_during_the_pause_ends_it(tmp_path: Path) -> None:
    async with watched("raise SystemExit(1)", tmp_path, backoff=Backoff(first_s=1000.0, limit_s=1000.0)) as child:
        await asyncio.wait_for(child.crashes.get(), 20)
        await child.stopped()


@pytest.mark.parametrize("limit", [1, 100])
def test_a_full_log_becomes_the_old_log(tmp_path: Path, limit: int) -> None:
    log = LogFile(tmp_path / "a.log", limit_bytes=limit)
    for number in range(40):
        log.write(f"line {number}")
    log.close()
    assert (tmp_path / "a.log").read_text().endswith("line 39\n")
    assert (tmp_path / "a.log").stat().st_size <= max(limit, len("line 39\n"))
    assert (tmp_path / "a.log.1").exists()
