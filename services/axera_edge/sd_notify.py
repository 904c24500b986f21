"""Words to systemd (sd_notify(3)): one datagram each, no library. Silent where systemd does not listen."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


class ServiceManager:
    """The supervisor that started us, if it listens."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        watched = environ.get("WATCHDOG_USEC", "") and environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(environ["WATCHDOG_USEC"]) / 1e6 if watched else 0.0
        """Seconds of silence after which it ends us; 0 when it does not watch."""

    def tell(self, *words: str) -> None:
        """`READY=1`, `STATUS=…`, `WATCHDOG=1`, `STOPPING=1`."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.sendto("\n".join(words).encode(), self._address)
