"""Which backend draws where nobody chose one."""

from __future__ import annotations

import functools
from importlib.metadata import version

import structlog
import torch

from contracts.errors import EaselError
from services.diffusion.choices import Choices
from services.diffusion.engines.backend import Backend, MakeBackend
from services.diffusion.engines.devices import choose_device
from services.diffusion.engines.fastest_backend import FastestBackend

log = structlog.get_logger()


_MEASURED = ("torch", "openvino", "diffusers")


def fitting(on_torch: MakeBackend, on_openvino: MakeBackend, choices: Choices | None, options: str) -> MakeBackend:
    """Torch on its accelerators, OpenVINO on devices of its own, and on CPUs whichever is found faster for a model.

    `options` are what the speed depends on, beside the machine and the libraries. Without `choices` nothing is
    measured, and OpenVINO draws on CPUs.
    """
    on_cpu = functools.cache(lambda: _on_cpu(on_torch, on_openvino, choices, options))

    def make(device: str) -> Backend:
        try:
            kind = choose_device(device).type
        except EaselError as unknown_to_torch:
            try:
                return on_openvino(device)
            except EaselError as fault:
                raise EaselError(fault.code, f"{unknown_to_torch.message}; {fault.message}") from fault
        return on_cpu() if kind == "cpu" else on_torch(device)

    return make


def _on_cpu(on_torch: MakeBackend, on_openvino: MakeBackend, choices: Choices | None, options: str) -> Backend:
    try:
        openvino = on_openvino("cpu")
    except EaselError as fault:
        log.info("torch draws", because=fault.message)
        return on_torch("cpu")
    if choices is None:
        return openvino
    versions = ", ".join(f"{name} {version(name)}" for name in _MEASURED)
    circumstances = f"{openvino.name}, {torch.get_num_threads()} threads, {versions}, {options}"
    return FastestBackend({"diffusers": on_torch("cpu"), "openvino": openvino}, choices, circumstances)
