"""Pictures to start from, read from the user's files and checked before anything is sent."""

from __future__ import annotations

import base64
from pathlib import Path

from cli.faults import CliError, ExitCode

MAX_BYTES = 32 << 20
_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")


def read_picture(path: Path, flag: str) -> str:
    """The file as base64, as the job routes take it.

    Raises:
        CliError: it cannot be read, or is no PNG, JPEG or WebP picture.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CliError(ExitCode.USAGE, f"{flag} {path} has more than {MAX_BYTES >> 20} MB; make it smaller")
        data = path.read_bytes()
    except OSError as fault:
        raise CliError(ExitCode.USAGE, f"cannot read {flag} {path}: {fault.strerror}") from fault
    if not data.startswith(_BEGINNINGS):
        raise CliError(ExitCode.USAGE, f"{flag} {path} is not a PNG, JPEG or WebP picture")
    return base64.b64encode(data).decode()
