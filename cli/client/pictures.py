"""Where pictures go: file names chosen, checked before the job is submitted, written whole or not at all."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.faults import CliError, ExitCode

SUFFIX = ".png"
_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
NAME_CHARACTERS = 48
"""Of the prompt, in a file name made from it."""


@dataclass(frozen=True)
class Picture:
    """One finished picture as the server sent it."""

    data: bytes
    index: int
    seed: int
    width: int
    height: int


class Destination:
    """What `-o` means for `count` pictures, which are saved in their order.

    Raises:
        CliError: the pictures could not be written there; better known before they are drawn.
    """

    def __init__(self, output: str, prompt: str, count: int, *, metadata: bool) -> None:
        self.to_stdout = output == "-"
        self.metadata = metadata
        self._count = count
        self._folder, self._stem = Path(), _name_from(prompt)
        self._suffix = SUFFIX
        self._may_replace = False
        self._saved = 0
        if self.to_stdout:
            self._check_stdout()
        elif output:
            self._aim(Path(output), folder=output.endswith(os.sep))
        if not os.access(self._folder, os.W_OK):
            raise CliError(ExitCode.USAGE, f"cannot write to {self._folder.absolute()}; choose another place with -o")

    def _check_stdout(self) -> None:
        if self._count > 1:
            raise CliError(ExitCode.USAGE, f"-o - takes one picture, not {self._count}; leave out -n or name a file")
        if self.metadata:
            raise CliError(ExitCode.USAGE, "--save-metadata needs a file to stand beside; name one with -o")
        if sys.stdout.isatty():
            raise CliError(ExitCode.USAGE, "stdout is a terminal; redirect it (-o - > fox.png) or name a file")

    def _aim(self, path: Path, *, folder: bool) -> None:
        if path.is_dir():
            self._folder = path
            return
        parent = path if folder else path.parent
        if not parent.is_dir():
            raise CliError(ExitCode.USAGE, f"there is no folder {parent}; make it, or choose another with -o")
        self._suffix = path.suffix or SUFFIX
        if self._suffix.lower() not in _FORMATS:
            message = f"{path.name}: pictures are {', '.join(_FORMATS)}; write -o {path.with_suffix(SUFFIX)}"
            raise CliError(ExitCode.USAGE, message)
        self._folder, self._stem, self._may_replace = parent, path.stem, True

    @property
    def output_format(self) -> str | None:
        """What the file's name asks for; None for the server's own choice, PNG."""
        return _FORMATS[self._suffix.lower()] if self._suffix != SUFFIX else None

    def check(self, content_type: str) -> None:
        """Refuse to put a picture into a file whose name says another format.

        Raises:
            CliError: it would.
        """
        kind = content_type.removeprefix("image/")
        if not self.to_stdout and kind != _FORMATS[self._suffix.lower()]:
            raise CliError(
                ExitCode.USAGE, f"the job's pictures are {kind}, not {self._suffix}; name the file otherwise"
            )

    def save(self, picture: Picture, drawn: dict[str, Any]) -> str:
        """The path written, empty for stdout.

        Raises:
            CliError: the disk refused.
        """
        if self.to_stdout:
            sys.stdout.buffer.write(picture.data)
            sys.stdout.buffer.flush()
            return ""
        self._saved += 1
        path = self._path()
        _write(path, picture.data)
        if self.metadata:
            facts = {**drawn, "seed": picture.seed, "width": picture.width, "height": picture.height}
            text = json.dumps(facts, ensure_ascii=False, indent=2) + "\n"
            _write(path.with_suffix(".json"), text.encode())
        return str(path)

    def _path(self) -> Path:
        """A name that `-o` gave is the user's to overwrite; one made from the prompt is not."""
        number = f"-{self._saved}" if self._count > 1 else ""
        path = self._folder / f"{self._stem}{number}{self._suffix}"
        copy = 2
        while not self._may_replace and path.exists():
            path = self._folder / f"{self._stem}{number}-{copy}{self._suffix}"
            copy += 1
        return path


def destinations(output: str, prompts: Sequence[str], each: int, *, metadata: bool) -> list[Destination]:
    """Where the `each` pictures of every prompt go: into files named after it, or numbered after `output`.

    Raises:
        CliError: as `Destination`.
    """
    if output and not Path(output).is_dir():
        return [Destination(output, prompts[0], each * len(prompts), metadata=metadata)] * len(prompts)
    return [Destination(output, prompt, each, metadata=metadata) for prompt in prompts]


def _name_from(prompt: str) -> str:
    words = re.sub(r"\W+", "-", prompt.lower()).strip("-_")
    return words[:NAME_CHARACTERS].rstrip("-_") or "picture"


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as fault:
        part.unlink(missing_ok=True)
        message = f"cannot write {path}: {fault.strerror}; the server keeps the picture ('easel jobs watch ID -o FILE')"
        raise CliError(ExitCode.INTERNAL, message) from fault
