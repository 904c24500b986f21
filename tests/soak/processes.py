"""The system under fire: one nats-server, gateways and fake workers, each behind a network of its own."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from pathlib import Path
from typing import Protocol, Self

import msgspec

from runtime.messaging.settings import BusSettings
from tests.support.gateways import GatewayProcess
from tests.support.nats_server import NatsServer
from tests.support.relay import Relay
from tests.support.workers import WorkerProcess

STEP_S = 0.02


class Member(Protocol):
    """A process that dies by -9 and comes back, and that can be stopped for a while."""

    kind: str

    def alive(self) -> bool: ...

    def kill_and_restart(self) -> None: ...

    def send(self, number: signal.Signals) -> None: ...

    def end(self) -> None: ...


class Worker:
    """A fake worker; each life has a new name, as a restarted process does."""

    kind = "worker"

    def __init__(self, settings: BusSettings, log: Path, *, jumpy_clock: bool) -> None:
        self._settings = settings
        self._log = log
        self._jumpy_clock = jumpy_clock
        self._lives = 0
        self._process = self._start()

    def _start(self) -> WorkerProcess:
        self._lives += 1
        name = f"{self._log.stem}-{self._lives}"
        return WorkerProcess(self._settings, name, step_s=STEP_S, log=str(self._log), jumpy_clock=self._jumpy_clock)

    def alive(self) -> bool:
        return self._process.process.poll() is None

    def kill_and_restart(self) -> None:
        self._process.kill()
        self._process = self._start()

    def send(self, number: signal.Signals) -> None:
        self._process.process.send_signal(number)

    def end(self) -> None:
        self._process.kill()


class Gateway:
    """A gateway on a port of its own."""

    kind = "gateway"

    def __init__(self, settings: BusSettings, log: Path, *, jumpy_clock: bool) -> None:
        self._process = GatewayProcess(settings, log, jumpy_clock, EASEL_GATEWAY_MAX_QUEUE_SIZE="200")
        self.url = self._process.url

    def alive(self) -> bool:
        return self._process.process.poll() is None

    def kill_and_restart(self) -> None:
        self._process.kill()
        self._process.restart()

    def send(self, number: signal.Signals) -> None:
        self._process.process.send_signal(number)

    def end(self) -> None:
        self._process.kill()


class Nats:
    """The bus itself."""

    kind = "nats-server"

    def __init__(self, server: NatsServer) -> None:
        self._server = server

    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        assert self._server.process is not None
        return self._server.process

    def kill_and_restart(self) -> None:
        self._server.kill()
        self._server.start()

    def send(self, number: signal.Signals) -> None:
        if self._server.process is not None:  # it may be on its way up again
            self._server.process.send_signal(number)

    def end(self) -> None:
        self._server.kill()


class System:
    """Everything, started; an asynchronous context that ends it all."""

    def __init__(self, folder: Path, *, workers: int, gateways: int) -> None:
        self._folder = folder
        self._counts = (workers, gateways)
        self._ending = contextlib.AsyncExitStack()
        self.workers: list[Member] = []
        self.gateways: list[Member] = []
        self.urls: list[str] = []
        self.links: list[Relay] = []

    async def __aenter__(self) -> Self:
        server = NatsServer(self._folder / "nats").start()
        self.nats = self._ended(Nats(server))
        # As many deliveries as there may be: at this rate an innocent job can meet many deaths.
        self.settings = BusSettings(
            url=server.url, namespace="soak", ack_wait_s=1.5, max_deliver=999, image_bytes=1 << 30
        )
        workers, gateways = self._counts
        for number in range(workers):  # the clock of the first of each kind jumps
            log, own = self._folder / f"worker{number}.log", await self._behind_a_link(server.port)
            self.workers.append(self._ended(Worker(own, log, jumpy_clock=number == 0)))
        for number in range(gateways):
            log, own = self._folder / f"gateway{number}.log", await self._behind_a_link(server.port)
            gateway = Gateway(own, log, jumpy_clock=number == 0)
            self.gateways.append(self._ended(gateway))
            self.urls.append(gateway.url)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ending.aclose()

    def _ended(self, member: Member) -> Member:
        self._ending.callback(member.end)
        return member

    async def _behind_a_link(self, port: int) -> BusSettings:
        link = await self._ending.enter_async_context(Relay(port))
        self.links.append(link)
        return msgspec.structs.replace(self.settings, url=f"nats://127.0.0.1:{link.port}")

    def revive(self) -> int:
        """Start again what ended by itself, as a supervisor does; how many that were."""
        dead = [process for process in (*self.gateways, *self.workers) if not process.alive()]
        for process in dead:
            process.kill_and_restart()
        return len(dead)
