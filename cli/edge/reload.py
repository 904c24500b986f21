"""Telling nats-server to read its users anew; connections of others stay."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from cli.faults import CliError, ExitCode


def reload_server(pid_file: Path) -> None:
    """Send SIGHUP to the server whose number is in `pid_file`.

    Raises:
        CliError: no such file or process, or not ours to signal.
    """
    try:
        os.kill(int(pid_file.read_text()), signal.SIGHUP)
    except (OSError, ValueError) as fault:
        said = f"the users are written, but nats-server was not told ({fault}): run 'nats-server --signal reload'"
        raise CliError(ExitCode.USAGE, said) from fault
