"""The system under fire: one nats-server, gateways and fake workers, each killed and started again."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Protocol, Self

from runtime.messaging.settings import BusSettings
from tests.support.gateways import GatewayProcess
from tests.support.nats_server import NatsServer
from tests.support.workers import WorkerProcess

STEP_S = 0.02


class Killable(Protocol):
    """Something that dies by -9 and comes back."""

    kind: str

    def alive(self) -> bool: ...

    def kill_and_restart(self) -> None: ...

    def end(self) -> None: ...


class Worker:
    """A fake worker; each life has a new name, as a restarted process does."""

    kind = "worker"

    def __init__(self, settings: BusSettings, log: Path) -> None:
        self._settings = settings
        self._log = log
        self._lives = 0
        self._process = self._start()

    def _start(self) -> WorkerProcess:
        self._lives += 1
        name = f"{self._log.stem}-{self._lives}"
        return WorkerProcess(self._settings, name, step_s=STEP_S, log=str(self._log))

    def alive(self) -> bool:
        return self._process.process.poll() is None

    def kill_and_restart(self) -> None:
        self._process.kill()
        self._process = self._start()

    def end(self) -> None:
        self._process.kill()


class Gateway:
    """A gateway on a port of its own."""

    kind = "gateway"

    def __init__(self, settings: BusSettings, log: Path) -> None:
        self._process = GatewayProcess(settings, log, EASEL_GATEWAY_MAX_QUEUE_SIZE="200")
        self.url = self._process.url

    def alive(self) -> bool:
        return self._process.process.poll() is None

    def kill_and_restart(self) -> None:
        self._process.kill()
        self._process.restart()

    def end(self) -> None:
        self._process.kill()


class Nats:
    """The bus itself."""

    kind = "nats-server"

    def __init__(self, server: NatsServer) -> None:
        self._server = server

    def alive(self) -> bool:
        return True

    def kill_and_restart(self) -> None:
        self._server.kill()
        self._server.start()

    def end(self) -> None:
        self._server.kill()


class System:
    """Everything, started; a context manager that ends it all."""

    def __init__(self, folder: Path, *, workers: int, gateways: int, seed: int) -> None:
        server = NatsServer(folder / "nats").start()
        # As many deliveries as there may be: at this rate an innocent job can meet many deaths.
        settings = BusSettings(url=server.url, namespace="soak", ack_wait_s=1.5, max_deliver=999, image_bytes=1 << 30)
        self.gateways = [Gateway(settings, folder / f"gateway{number}.log") for number in range(gateways)]
        self.workers = [Worker(settings, folder / f"worker{number}.log") for number in range(workers)]
        self.nats = Nats(server)
        self._random = random.Random(seed)

    def victim(self) -> Killable:
        """Mostly a worker; sometimes a gateway or the bus."""
        kind = self._random.choices(["worker", "gateway", "nats"], weights=[80, 10, 10])[0]
        if kind == "nats":
            return self.nats
        return self._random.choice(self.workers if kind == "worker" else self.gateways)

    def revive(self) -> int:
        """Start again what ended by itself, as a supervisor does; how many that were."""
        dead = [process for process in (*self.gateways, *self.workers) if not process.alive()]
        for process in dead:
            process.kill_and_restart()
        return len(dead)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self.gateways, *self.workers, self.nats):
            process.end()
