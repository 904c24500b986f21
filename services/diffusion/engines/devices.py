"""Devices of torch: which one, in which number format, and giving its memory back."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import gc
import sys

import torch

from contracts.errors import EaselError, ErrorCode

ACCELERATORS = ("cuda", "xpu", "mps")
"""In order of preference; ROCm answers to `cuda`."""
SMALL_BYTES = 1 << 30
"""Models with fewer bytes of weights keep float32 on a CPU: a picture takes a second either way, and float32 keeps it
alike alone and among others to 1e-6, where bfloat16 keeps 1e-2."""


def choose_device(wanted: str) -> torch.device:
    """The device called `wanted`: `auto`, `gpu` or torch's own name.

    Raises:
        EaselError: no such device here.
    """
    present = [f"{kind}:{index}" for kind in ACCELERATORS for index in range(_count(kind))]
    name = wanted.strip().lower()
    everything = [*present, "cpu"]
    named = [it for it in everything if name in (it, it.removesuffix(":0"))]
    found = {"auto": everything, "gpu": present}.get(name, named)
    if not found:
        message = f"no device {wanted!r} here: torch {torch.__version__} finds {', '.join(everything)}"
        raise EaselError(ErrorCode.ENGINE_FAILED, message)
    return torch.device(found[0])


def _count(kind: str) -> int:
    match kind:
        case "cuda":
            return torch.cuda.device_count() if torch.cuda.is_available() else 0
        case "xpu":
            return torch.xpu.device_count() if torch.xpu.is_available() else 0
        case _:
            return int(torch.backends.mps.is_available())


def device_name(device: torch.device) -> str:
    """As people name it: `cpu`, `cuda:0 NVIDIA H200`."""
    match device.type:
        case "cuda":
            return f"{device} {torch.cuda.get_device_name(device)}"
        case "xpu":
            return f"{device} {torch.xpu.get_device_name(device)}"
        case _:
            return device.type


def choose_dtype(wanted: str, device: torch.device, half: str, weights_bytes: float) -> torch.dtype:
    """The dtype called `wanted`; `auto` is the family's 16-bit format wherever the device is fast at it."""
    if wanted == "auto":
        wanted = _best_dtype(device, half, weights_bytes)
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[wanted]


def _best_dtype(device: torch.device, half: str, weights_bytes: float) -> str:
    if device.type == "cpu":
        return "bfloat16" if weights_bytes >= SMALL_BYTES and has_bfloat16_units() else "float32"
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "float16"
    return half


def has_bfloat16_units() -> bool:
    """Whether this CPU multiplies bfloat16 in hardware (AMX, AVX-512 BF16); elsewhere it is slower than float32."""
    found = torch.cpu.get_capabilities()
    return bool(found.get("amx_bf16") or found.get("avx512_bf16"))


def release(device: torch.device) -> None:
    """Hand memory that nothing refers to back to the system; a device in a bad state keeps it."""
    gc.collect()
    if device.type == "cpu":
        if sys.platform == "linux" and (name := ctypes.util.find_library("c")):
            trim = getattr(ctypes.CDLL(name), "malloc_trim", None)  # glibc only
            if trim is not None:
                trim(0)
    else:
        with contextlib.suppress(RuntimeError):
            getattr(torch, device.type).empty_cache()
