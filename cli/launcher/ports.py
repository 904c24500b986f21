"""TCP ports: find a free one, and say who holds a taken one."""

from __future__ import annotations

import contextlib
import errno
import re
import socket
from pathlib import Path
from random import SystemRandom

_PROC = Path("/proc")
_LISTENING = "0A"
_TRIES = 200
_NOT_OUTGOING = range(10_000, 32_768)
"""Linux gives outgoing connections ports from 32768 on (ip(7)), others from 49152 on (RFC 6335)."""


def free_port() -> int:
    """A port of 127.0.0.1 that nobody holds, and that no outgoing connection takes before its service listens."""
    return next(port for port in SystemRandom().sample(_NOT_OUTGOING, _TRIES) if _is_free("127.0.0.1", port))


def fault_of(host: str, port: int, flag: str) -> str | None:
    """Why `host:port` cannot be listened on and what to do, or None when it can."""
    try:
        _bind(host, port)
    except socket.gaierror:
        return f"{host} is not an address of this machine"
    except OSError as fault:
        if fault.errno == errno.EACCES:
            return f"port {port} needs more rights than you have: use {flag} with a number above 1023"
        if fault.errno != errno.EADDRINUSE:
            return f"cannot listen on {host}:{port}: {fault.strerror}"
        free = next((near for near in range(port + 1, min(port + _TRIES, 65536)) if _is_free(host, near)), 0)
        return f"port {port} is taken{_holder(port)}: stop it, or use {flag} {free}"
    return None


def _is_free(host: str, port: int) -> bool:
    try:
        _bind(host, port)
    except OSError:
        return False
    return True


def _bind(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # as servers do, so that connections of an earlier run in TIME_WAIT do not count as taken
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen(1)


def _holder(port: int) -> str:
    """` (by pid 7 python -m http.server)` where /proc tells, else nothing: other users' sockets stay theirs."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for process in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) in inodes:
                        return f" (by pid {process.name}, {_command(process)})"
    return ""


def _listening_inodes(port: int) -> set[str]:
    """Inodes of sockets that listen on `port`, from the kernel's table (proc_net_tcp)."""
    found = set()
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (_PROC / "net" / table).read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == _LISTENING and int(columns[1].rsplit(":", 1)[1], 16) == port:
                    found.add(columns[9])
    return found


def _command(process: Path) -> str:
    words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    return re.sub(r"\s+", " ", words)[:60] or "unknown"
