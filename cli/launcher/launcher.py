"""Start in order, keep alive, stop in reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from cli.faults import CliError, ExitCode
from cli.launcher.bus_users import key_file, make_users
from cli.launcher.child_lines import fields_of, is_ready, reason, shown
from cli.launcher.log_file import LogFile
from cli.launcher.nats_server import NatsServer
from cli.launcher.plan import Plan
from cli.launcher.process import DEFAULT_BACKOFF, Backoff, ManagedProcess, ProcessSpec

READY_POLL_S = 0.1
PATIENCE_S = 10.0
"""Between two words about what is being waited for."""


class _StopWantedError(Exception):
    """A signal came while starting."""


class Launcher:
    """Runs one plan, once. `say` gets lines for the person at the terminal."""

    def __init__(
        self, plan: Plan, say: Callable[[str], None], *, verbose: bool = False, backoff: Backoff = DEFAULT_BACKOFF
    ) -> None:
        self._plan = plan
        self._say = say
        self._verbose = verbose
        self._backoff = backoff
        self._bus = NatsServer(plan.data_dir.nats, plan.nats_port, plan.environ)
        self._processes: list[ManagedProcess] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ready = {process.name: asyncio.Event() for process in plan.processes if process.service.takes_jobs}
        self._awaited = {process.name for process in plan.processes if process.service.awaited}
        self._models: set[str] = set()
        self._stop_wanted = asyncio.Event()
        """Set by the first signal, and by a process that ends while starting."""
        self._starting = True
        self._start_fault: CliError | None = None

    async def run(self, on_ready: Callable[[dict[str, Any]], None]) -> None:
        """Start everything, call `on_ready` with what runs where, return when a signal has stopped it all.

        Raises:
            CliError: a process ended while starting; everything else is stopped again.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled)
        try:
            with contextlib.suppress(_StopWantedError):
                await self._start()
                self._starting = False
                self._publish()
                on_ready(self.state())
                await self._stop_wanted.wait()
        finally:
            await self._stop_all()

    def state(self) -> dict[str, Any]:
        """Addresses and process ids, as `--json` prints them."""
        return {
            "url": self._plan.url,
            "grpc_address": self._plan.grpc_address,
            "nats_url": self._bus.url,
            "nats_monitor_url": self._bus.monitor_url,
            "data_dir": str(self._plan.data_dir.path),
            "logs": str(self._plan.data_dir.logs),
            "models": sorted(self._models),
            "pids": {process.spec.name: process.pid for process in self._processes},
        }

    async def _start(self) -> None:
        folder, namespace = self._plan.data_dir.nats, self._plan.environ.get("EASEL_NAMESPACE") or "easel"
        self._bus.configure(make_users(folder, [process.name for process in self._plan.processes], namespace))
        self._launch(self._bus.spec)
        await self._unless_stopped(self._bus.ready())
        for planned in self._plan.processes:
            self._launch(planned.spec(self._bus.url, key_file(folder, planned.name)))
        await self._unless_stopped(self._all_ready())

    def _launch(self, spec: ProcessSpec) -> None:
        log = LogFile(self._plan.data_dir.logs / f"{spec.name}.log")
        process = ManagedProcess(
            spec,
            log,
            backoff=self._backoff,
            on_line=self._heard,
            on_start=self._publish,
            on_crash=self._crashed,
        )
        self._processes.append(process)
        self._tasks[spec.name] = asyncio.create_task(process.supervise())

    async def _all_ready(self) -> None:
        names = [process.name for process in self._plan.processes if process.name in self._awaited]
        waits = [asyncio.create_task(self._until_ready(name)) for name in names]
        try:
            while pending := (await asyncio.wait(waits, timeout=PATIENCE_S))[1]:
                late = [name for name, wait in zip(names, waits, strict=True) if wait in pending]
                self._say(f"waiting for {', '.join(late)} (logs: {self._plan.data_dir.logs})")
        finally:
            for wait in waits:
                wait.cancel()

    async def _until_ready(self, name: str) -> None:
        if name in self._ready:
            await self._ready[name].wait()
            return
        import httpx

        # it asks this machine whether it is up, sends no secret, and the certificate is for the name that others use
        async with httpx.AsyncClient(trust_env=False, timeout=5, verify=False) as client:  # noqa: S501  as said above
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"{self._plan.url}/readyz")).status_code == HTTPStatus.OK:
                        return
                await asyncio.sleep(READY_POLL_S)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work`, unless a signal or the end of a process comes first."""
        task, stop = asyncio.create_task(work), asyncio.create_task(self._stop_wanted.wait())
        try:
            await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
            if self._start_fault is not None:
                raise self._start_fault
            if self._stop_wanted.is_set():
                raise _StopWantedError
            task.result()
        finally:
            task.cancel()
            stop.cancel()

    def _publish(self) -> None:
        """Process ids change at each restart."""
        if not self._starting:
            self._plan.data_dir.publish(self.state())

    def _heard(self, name: str, line: str) -> None:
        if name in self._ready and is_ready(line):
            self._models |= set(fields_of(line).get("models", []))
            again = " again" if self._ready[name].is_set() else ""
            self._ready[name].set()
            if not self._starting:
                self._say(f"{name} is ready{again}")
        if text := shown(line, verbose=self._verbose):
            self._say(f"{name} | {text}")

    def _crashed(self, process: ManagedProcess, status: int, pause_s: float) -> None:
        name, how = process.spec.name, _how(status)
        if not self._starting or name not in self._awaited | {self._bus.spec.name}:
            self._say(f"{name} ended ({how}); starting it again in {pause_s:g} s (log: {process.log.path})")
        elif self._start_fault is None:
            message = f"{name} could not start ({how}): {reason(process.log.tail)} (log: {process.log.path})"
            self._start_fault = CliError(ExitCode.INTERNAL, message)
            self._stop_wanted.set()

    def _signalled(self) -> None:
        if self._stop_wanted.is_set():
            self._say("killing what is left")
            for process in self._processes:
                process.kill()
            return
        self._stop_wanted.set()
        self._say("stopping (running jobs may finish; Ctrl-C again to kill)")

    async def _stop_all(self) -> None:
        """The gateway first, so that nothing new comes in; the bus last, so that workers can hand back their jobs."""
        gateways = [process.name for process in self._plan.processes if not process.service.takes_jobs]
        workers = [process.name for process in self._plan.processes if process.service.takes_jobs]
        for stage in (gateways, workers, [self._bus.spec.name]):
            ending = [process for process in self._processes if process.spec.name in stage]
            for process in ending:
                process.stop()
            await asyncio.gather(*(self._tasks[process.spec.name] for process in ending), return_exceptions=True)
            for process in ending:
                process.log.close()


def _how(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"
