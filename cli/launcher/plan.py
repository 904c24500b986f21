"""Flags and environment to the processes that run, with every fault found before the first one starts."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from cli.launcher.data_dir import DataDir
from cli.launcher.ports import fault_of, free_port
from cli.launcher.process import ProcessSpec
from cli.launcher.services import SERVICES, Service
from cli.launcher.settings import LauncherSettings
from cli.options import CLIENT_VARIABLES
from runtime.process.folders import default_data_dir
from runtime.process.settings import PREFIX, SettingsError, fields, known_names, load, unknown_names

_EVERYWHERE = "0.0.0.0"
_PORT = "EASEL_GATEWAY_PORT"
_GRPC_PORT = "EASEL_GATEWAY_GRPC_PORT"
_OTHER_BUS = {f"EASEL_NATS_{name}" for name in ("CREDENTIALS", "CA", "CERT", "CERT_KEY", "USER", "RESTRICTED")}
"""Of the environment: how to reach a bus that is not ours."""
STOP_MARGIN_S = 10.0
"""On top of a process's own deadline, before it is killed."""


@dataclass(frozen=True)
class Flags:
    """The command line of `easel up`; None where nothing was given."""

    port: int | None = None
    grpc_port: int | None = None
    nats_port: int | None = None
    data_dir: Path | None = None
    workers: int | None = None
    model: tuple[str, ...] = ()
    keys: Path | None = None

    def given(self) -> dict[str, str]:
        """As text, by the names that `Service.flags` uses."""
        values: dict[str, object] = {"port": self.port, "grpc_port": self.grpc_port, "model": ",".join(self.model)}
        values["keys"] = self.keys.expanduser().absolute() if self.keys else None
        return {name: str(value) for name, value in values.items() if value not in (None, "")}


@dataclass(frozen=True)
class PlannedProcess:
    """A process, complete but for the address of the bus and its key to it."""

    name: str
    service: Service
    environ: Mapping[str, str]
    stop_s: float

    def spec(self, nats_url: str, nkey: Path) -> ProcessSpec:
        bus = {"EASEL_NATS_URL": nats_url, "EASEL_NATS_NKEY": str(nkey)}
        if self.service.takes_jobs:
            bus["EASEL_NATS_USER"] = self.name
        return ProcessSpec(
            name=self.name,
            # -P: a file gateway.py in the folder where `easel up` was typed must not be what runs
            argv=(sys.executable, "-P", "-m", self.service.module),
            environ={**self.environ, **bus},
            stop_s=self.stop_s,
        )


@dataclass(frozen=True)
class Plan:
    """What `easel up` will do."""

    data_dir: DataDir
    nats_port: int
    host: str
    port: int
    grpc_port: int
    """0 where the gateway has no gRPC service."""
    keys_file: str
    scheme: str
    """`https` where the gateway has a certificate."""
    processes: tuple[PlannedProcess, ...]
    notes: tuple[str, ...] = ()
    """What the user may not expect."""
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where a client on this machine finds the gateway."""
        return f"{self.scheme}://{self._client_host}:{self.port}"

    @property
    def grpc_address(self) -> str:
        """The same for gRPC; empty where there is none."""
        return f"{self._client_host}:{self.grpc_port}" if self.grpc_port else ""

    @property
    def _client_host(self) -> str:
        host = "127.0.0.1" if self.host in (_EVERYWHERE, "::", "") else self.host
        return f"[{host}]" if ":" in host else host


def make_plan(flags: Flags, environ: Mapping[str, str], services: Sequence[Service] = SERVICES) -> Plan:
    """The plan.

    Raises:
        SettingsError: with every wrong setting, taken port and missing file at once.
    """
    known = known_names(LauncherSettings, *(kind for service in services for kind in service.settings()))
    faults = unknown_names(environ, known | CLIENT_VARIABLES)
    launcher = _launcher_settings(flags, environ, faults)
    # a name nobody knows was told above; it must not hide the other faults of its service
    base = {name: value for name, value in environ.items() if name in known or not name.startswith(PREFIX)}
    base = {name: value for name, value in base.items() if name not in _OTHER_BUS}
    environs = {service.name: {**base, **_from_flags(service, flags, faults)} for service in services}
    values = {service.name: values_of(service, environs[service.name], faults) for service in services}
    for service in services:
        if whole := values[service.name]:
            faults += service.faults(whole)
    gateway = values["gateway"]
    if gateway:
        gateway, environs["gateway"] = _with_ports(gateway, environs["gateway"])
        faults += _port_faults(gateway, launcher)
    if faults:
        raise SettingsError(dict.fromkeys(faults))
    lacks = {service.name: service.lacking(values[service.name]) for service in services}
    planned = [
        _processes(service, environs[service.name], values[service.name], launcher)
        for service in services
        if not lacks[service.name]
    ]
    return Plan(
        data_dir=DataDir(Path(launcher.data_dir) if launcher.data_dir else default_data_dir(environ)),
        nats_port=launcher.nats_port,
        host=gateway["EASEL_GATEWAY_HOST"],
        port=gateway[_PORT],
        grpc_port=gateway.get(_GRPC_PORT, 0),
        keys_file=str(gateway.get("EASEL_GATEWAY_KEYS_FILE") or ""),
        scheme="https" if gateway.get("EASEL_GATEWAY_TLS_CERT") else "http",
        processes=tuple(process for group in planned for process in group),
        notes=(*_notes(environ), *(f"no {name}: {lack}" for name, lack in lacks.items() if lack)),
        environ=environ,
    )


def _launcher_settings(flags: Flags, environ: Mapping[str, str], faults: list[str]) -> LauncherSettings:
    data_dir = str(flags.data_dir) if flags.data_dir else None
    try:
        return load(LauncherSettings, environ, workers=flags.workers, data_dir=data_dir, nats_port=flags.nats_port)
    except SettingsError as wrong:
        faults += wrong.faults
        return LauncherSettings()


def _from_flags(service: Service, flags: Flags, faults: list[str]) -> dict[str, str]:
    """The variables that hand the flags to a service."""
    known = known_names(*service.settings())
    found = {}
    for flag, value in flags.given().items():
        if variable := service.flags.get(flag):
            if variable in known:
                found[variable] = value
            else:
                faults.append(f"--{flag.replace('_', '-')}: the {service.name} of this version does not offer that")
    return found


def values_of(service: Service, environ: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    """Every setting of a service by the canonical name of its variable.

    Where one is wrong there are none, and `faults` says why.
    """
    values: dict[str, Any] = {}
    before = len(faults)
    for kind in service.settings():
        try:
            loaded = msgspec.structs.asdict(load(kind, environ))
        except SettingsError as wrong:
            faults += wrong.faults
            continue
        values |= {setting.env[0]: loaded[setting.name] for setting in fields(kind) if setting.env}
    return values if len(faults) == before else {}


def _with_ports(gateway: dict[str, Any], environ: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Port 0 becomes a free one here, because the launcher must know where to knock and what to tell."""
    free = {variable: free_port() for variable in (_PORT, _GRPC_PORT) if gateway.get(variable) == 0}
    return {**gateway, **free}, {**environ, **{variable: str(port) for variable, port in free.items()}}


def _port_faults(gateway: dict[str, Any], launcher: LauncherSettings) -> list[str]:
    host = gateway["EASEL_GATEWAY_HOST"]
    wanted = [(host, gateway[_PORT], "--port"), ("127.0.0.1", launcher.nats_port, "--nats-port")]
    if _GRPC_PORT in gateway:
        wanted.append((host, gateway[_GRPC_PORT], "--grpc-port"))
    ports = [port for _, port, _ in wanted if port]
    if len(set(ports)) < len(ports):
        return [f"{', '.join(flag for _, _, flag in wanted)} must differ: {', '.join(map(str, ports))}"]
    return [fault for host, port, flag in wanted if port and (fault := fault_of(host, port, flag))]


def _processes(
    service: Service, environ: dict[str, str], values: dict[str, Any], launcher: LauncherSettings
) -> list[PlannedProcess]:
    environ = {**environ, "PYTHONUNBUFFERED": "1"}
    if launcher.data_dir:
        environ["EASEL_DATA_DIR"] = str(Path(launcher.data_dir).expanduser().absolute())
    stop_s = float(values.get(service.stop_variable, 0)) + STOP_MARGIN_S
    if not service.takes_jobs:
        return [PlannedProcess(service.name, service, environ, stop_s)]
    count = launcher.workers if service.replicated else 1
    if count > 1:
        # by default each would take every core, and all would wait for each other
        environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    names = [f"{service.name}-{number}" for number in range(1, count + 1)]
    return [PlannedProcess(name, service, {**environ, "EASEL_WORKER_NAME": name}, stop_s) for name in names]


def _notes(environ: Mapping[str, str]) -> list[str]:
    return [
        f"{name} is set but not used: 'easel up' starts a bus of its own"
        for name in ("EASEL_NATS_URL", "NATS_URL")
        if environ.get(name)
    ]
