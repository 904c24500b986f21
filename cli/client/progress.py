"""A job's progress on stderr: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cli.output import colour_allowed

if TYPE_CHECKING:
    from rich.progress import Progress


class JobProgress:
    """`on_event` takes a job's events; use as a context manager so that the bar leaves the terminal in order."""

    def __init__(self) -> None:
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _bar()
            self._task = self._bar.add_task("waiting in the queue", total=None)
            self._bar.start()
        return self

    def on_event(self, name: str, data: dict[str, Any]) -> None:
        if self._bar is None:
            return
        if name == "progress":
            step, total = data.get("step", 0), data.get("total_steps")
            self._bar.update(self._task, description=f"step {step}/{total}", completed=step, total=total)
        elif name == "started":
            self._bar.reset(self._task, description="starting")
        elif name in ("queued", "released"):
            self._bar.reset(self._task, description="waiting in the queue", total=None)

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()


@contextmanager
def waiting(what: str) -> Iterator[Callable[[str], None]]:
    """A spinner and the time it has taken, on a terminal; what is yielded says what is being done now."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(file=sys.stderr, no_color=not colour_allowed())
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda stage: bar.update(task, description=stage)


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=sys.stderr, no_color=not colour_allowed())
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), TextColumn("left"))
    return Progress(*columns, console=console, transient=True)
