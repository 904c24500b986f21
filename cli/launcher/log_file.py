"""A log file that cannot fill the disk."""

from __future__ import annotations

import contextlib
from collections import deque
from pathlib import Path

LIMIT_BYTES = 16 << 20
TAIL_LINES = 20


class LogFile:
    """Lines appended to `path`; at `limit_bytes` it becomes `path.1` and a new one begins."""

    def __init__(self, path: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self.path = path
        self._limit_bytes = limit_bytes
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        """The newest lines of this run."""

    def write(self, line: str) -> None:
        """Keep the line. A full disk loses it: better than to block the process that said it."""
        self.tail.append(line)
        with contextlib.suppress(OSError):
            self._append((line + "\n").encode())

    def _append(self, data: bytes) -> None:
        if self._size and self._size + len(data) > self._limit_bytes:
            self._file.close()
            self.path.replace(self.path.with_name(self.path.name + ".1"))
            self._file = self.path.open("ab", buffering=0)
            self._size = 0
        self._size += self._file.write(data) or 0

    def close(self) -> None:
        self._file.close()
