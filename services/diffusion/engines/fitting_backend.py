"""Which backend draws where nobody chose one."""

from __future__ import annotations

from contracts.errors import EaselError
from services.diffusion.engines.backend import Backend, MakeBackend
from services.diffusion.engines.devices import choose_device


def fitting(on_torch: MakeBackend, on_openvino: MakeBackend) -> MakeBackend:
    """Torch on its accelerators; OpenVINO on CPUs, where it was faster (docs/diffusion.md), and devices of its own."""

    def make(device: str) -> Backend:
        try:
            kind = choose_device(device).type
        except EaselError as unknown_to_torch:
            try:
                return on_openvino(device)
            except EaselError as fault:
                raise EaselError(fault.code, f"{unknown_to_torch.message}; {fault.message}") from fault
        return on_openvino("cpu") if kind == "cpu" else on_torch(device)

    return make
