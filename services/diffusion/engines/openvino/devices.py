"""Devices of OpenVINO, by the names that it gives them."""

from __future__ import annotations

import openvino as ov

from contracts.errors import EaselError, ErrorCode


def choose_device(core: ov.Core, wanted: str) -> str:
    """The device called `wanted`: `auto` or `gpu` for the first GPU, `auto` else the CPU, or OpenVINO's own name.

    `auto` is one device, not OpenVINO's plugin of that name: that one begins on the CPU and changes to the GPU once it
    has compiled, and the same request would draw other pixels.

    Raises:
        EaselError: no such device here.
    """
    present: list[str] = core.available_devices
    name = wanted.strip().upper()
    named = [it for it in present if name in (it, it.removesuffix(".0"))]
    gpus = [it for it in present if it.startswith("GPU")]
    found = {"AUTO": [*gpus, "CPU"], "GPU": gpus}.get(name, named)
    if not found:
        message = f"no device {wanted!r} here: OpenVINO {ov.__version__.split('-')[0]} finds {', '.join(present)}"
        raise EaselError(ErrorCode.ENGINE_FAILED, message)
    return found[0]


def device_name(core: ov.Core, device: str) -> str:
    """As people name it: `cpu Intel(R) Xeon(R) … (OpenVINO)`."""
    return f"{device.lower()} {core.get_property(device, 'FULL_DEVICE_NAME')} (OpenVINO)"
