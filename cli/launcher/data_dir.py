"""The folder that one `easel up` owns: its lock, its logs, the bus's data."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from cli.faults import CliError, ExitCode


class DataDir:
    """The paths in it."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.logs = self.path / "logs"
        self.nats = self.path / "nats"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; the kernel lets go of it however the process ends.

        Raises:
            CliError: another `easel up` holds it, or it cannot be written.
        """
        try:
            for folder in (self.path, self.logs, self.nats):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self.path / "lock").open("a+")
        except OSError as fault:
            message = f"cannot use {self.path} for data: {fault.strerror}; choose another folder with --data-dir"
            raise CliError(ExitCode.USAGE, message) from fault
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CliError(ExitCode.USAGE, self._refusal()) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            try:
                yield
            finally:
                self._state.unlink(missing_ok=True)

    @property
    def _state(self) -> Path:
        return self.path / "running.json"

    def publish(self, state: dict[str, object]) -> None:
        """What runs here, for whoever looks; gone when it stops. Not worth stopping for when the disk is full."""
        part = self._state.with_suffix(".part")
        with contextlib.suppress(OSError):
            part.write_text(json.dumps(state) + "\n")
            part.replace(self._state)

    def _refusal(self) -> str:
        pid = (self.path / "lock").read_text().strip() or "unknown"
        return f"'easel up' already runs on {self.path} (pid {pid}): stop it (kill {pid}), or use another --data-dir"
