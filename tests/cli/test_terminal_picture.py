"""The finished picture inside the terminal."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

from PIL import Image

from tests.cli.conftest import JOB
from tests.cli.stub_gateway import StubGateway


def drawn_on_a_terminal(*flags: str, **environ: str) -> bytes:
    """What a terminal without graphics sees of `easel generate`."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 80))
    command = [sys.executable, "-m", "cli", "generate", "a fox", *flags]
    settings = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **environ}
    settings.pop("NO_COLOR", None) if "NO_COLOR" not in environ else None
    shown = b""
    with subprocess.Popen(command, env=settings, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL) as process:
        os.close(theirs)
        while data := _read(ours):
            shown += data
        assert process.wait(60) == 0
    os.close(ours)
    return shown


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other side is closed
        return b""


def red_picture(gateway: StubGateway) -> None:
    data = io.BytesIO()
    Image.new("RGB", (32, 32), (255, 0, 0)).save(data, "PNG")
    gateway.routes[f"GET /job/{JOB}/image"] = lambda r: r.bytes(data.getvalue(), "image/png")


def test_a_picture_is_shown_where_a_person_looks(gateway: StubGateway, tmp_path: Path) -> None:
    red_picture(gateway)
    assert b"255;0;0" in drawn_on_a_terminal("-o", str(tmp_path))


def test_it_is_not_where_that_was_refused(gateway: StubGateway, tmp_path: Path) -> None:
    red_picture(gateway)
    assert b"255;0;0" not in drawn_on_a_terminal("-o", str(tmp_path), "--no-show")
    assert b"255;0;0" not in drawn_on_a_terminal("-o", str(tmp_path), NO_COLOR="1")
