"""The processes of one machine, as data: a new service is one entry in `SERVICES`."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from contracts.errors import EaselError, ErrorCode

_BUS = "runtime.messaging.settings"
_WORKER = "runtime.worker.settings"
_METRICS = "runtime.process.metrics"
_TELEMETRY = "runtime.process.telemetry"
_SAFETY = "runtime.process.safety"
_PROVENANCE = "runtime.worker.images.provenance"


@dataclass(frozen=True)
class Service:
    """One kind of process, run as `python -m <module>`."""

    name: str
    module: str
    settings_modules: tuple[str, ...]
    """Their settings structs are all that the process reads from its environment."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """Flag of `easel up` -> the variable that hands it to the process."""
    stop_variable: str = "EASEL_WORKER_SOFT_STOP_S"
    """The variable of its own deadline for stopping."""
    takes_jobs: bool = True
    """Whether it is a worker: named on the bus, ready when it logs so, given time to finish its jobs."""
    faults: Callable[[Mapping[str, Any]], list[str]] = lambda _: []
    """What is wrong with its settings (by the canonical names of their variables) beyond their types."""
    lacking: Callable[[Mapping[str, Any]], str] = lambda _: ""
    """Why it is not started here though nothing is wrong; the system does without it. Empty where it is."""
    awaited: bool = True
    """Whether a start waits for it, and fails with it."""
    replicated: bool = False
    """Whether `--workers` counts its processes."""

    def settings(self) -> list[type[msgspec.Struct]]:
        """The structs, in the order of the modules."""
        return [kind for name in self.settings_modules for kind in _structs(name)]


def keys_faults(values: Mapping[str, Any]) -> list[str]:
    """Whether the gateway's keys file is there and readable."""
    from gateway.keys import KeysFileError, list_keys

    keys = str(values.get("EASEL_GATEWAY_KEYS_FILE") or "")
    if keys and not Path(keys).is_file():
        return [f"there is no keys file {keys}: make one with 'easel keys create --keys {keys} --name NAME'"]
    try:
        return [] if not keys or list_keys(Path(keys)) else [f"{keys} holds no key: nobody could draw"]
    except KeysFileError as fault:
        return [str(fault)]


def model_faults(values: Mapping[str, Any]) -> list[str]:
    """Which models the diffusion service would not find."""
    from services.diffusion.catalogue import Catalogue

    try:
        catalogue = Catalogue(values["EASEL_DIFFUSION_MODELS_FILE"])
    except EaselError as fault:
        return [fault.message]
    faults = []
    for name in values["EASEL_DIFFUSION_MODELS"]:
        try:
            catalogue.find(name)
        except EaselError as fault:
            near = difflib.get_close_matches(name, catalogue.ids, n=1)
            missing = near and fault.code == ErrorCode.MODEL_NOT_FOUND
            faults.append(f"no model {name!r}; did you mean {near[0]}?" if missing else fault.message)
    return faults


def language_model_lack(values: Mapping[str, Any]) -> str:
    """What the enhancer would need to have a language model."""
    from services.enhancer.engines.factory import lack
    from services.enhancer.settings import EnhancerSettings

    engine, url, model = (values[f"EASEL_ENHANCER_{name}"] for name in ("ENGINE", "URL", "MODEL"))
    return lack(EnhancerSettings(engine=engine, url=url, model=model))


def _structs(module: str) -> list[type[msgspec.Struct]]:
    """Those that the module defines, not those that it imports."""
    return [
        value
        for value in vars(importlib.import_module(module)).values()
        if isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__module__ == module
    ]


SERVICES = (
    Service(
        name="gateway",
        module="gateway",
        settings_modules=("gateway.settings", _BUS, _SAFETY, _TELEMETRY),
        flags={
            "port": "EASEL_GATEWAY_PORT",
            "grpc_port": "EASEL_GATEWAY_GRPC_PORT",
            "keys": "EASEL_GATEWAY_KEYS_FILE",
        },
        stop_variable="EASEL_GATEWAY_SOFT_STOP_S",
        faults=keys_faults,
        takes_jobs=False,
    ),
    Service(
        name="diffusion",
        module="services.diffusion",
        settings_modules=("services.diffusion.settings", _WORKER, _BUS, _PROVENANCE, _SAFETY, _METRICS, _TELEMETRY),
        flags={"model": "EASEL_DIFFUSION_MODELS"},
        faults=model_faults,
        replicated=True,
    ),
    Service(
        name="enhancer",
        module="services.enhancer",
        settings_modules=("services.enhancer.settings", _WORKER, _BUS, _METRICS, _TELEMETRY),
        lacking=language_model_lack,
        awaited=False,
    ),
)
