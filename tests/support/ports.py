"""Ports for the servers that tests start, each given to one test alone.

A port that the kernel picked and that was let go again may be taken before the server listens: by a connection that
goes out, or by a test beside this one. Ours are below those that the kernel picks, and each test process has its own.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from random import SystemRandom

_FIRST, _USUAL_END = 10_000, 32_768
_STRIDE = 4
"""What counts up from the port that it is given, as metrics do, meets nobody else's."""


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    return next(port for port in _ports if _is_free(port))


def _mine() -> Iterator[int]:
    """Round and round through this process's share, from anywhere: another run of the tests may be under way."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = (_end() - _FIRST) // workers
    ports = range(_FIRST + worker * share, _FIRST + (worker + 1) * share - _STRIDE, _STRIDE)
    place = SystemRandom().randrange(len(ports))
    while True:
        yield ports[place]
        place = (place + 1) % len(ports)


def _end() -> int:
    """Where the ports of outgoing connections begin (ip(7))."""
    told = Path("/proc/sys/net/ipv4/ip_local_port_range")
    end = int(told.read_text().split()[0]) if told.exists() else _USUAL_END
    return end if end > 2 * _FIRST else _USUAL_END


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


_ports = _mine()
