"""What is done to a pipeline on torch beside loading it: attention, compiled blocks, tiles of the VAE, offloading.

Each raises ValueError where it can have no effect, with what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.models.attention_dispatch import AttentionBackendName

from services.diffusion.torch_options import Offload, Tiling

ATTENTION_BACKENDS = tuple(backend.value for backend in AttentionBackendName)
ROOM = 1.25
"""Memory for a picture beside the weights, as a factor: activations at a model's own size take a tenth to a quarter."""
REPEATED_BLOCKS = {"SD3Transformer2DModel": ["JointTransformerBlock"]}
"""Where diffusers 0.42 does not say which blocks of a denoiser are alike."""


def set_attention_backend(denoiser: Any, name: str) -> None:
    """Let `denoiser` use one of `ATTENTION_BACKENDS`; empty for torch's own, whatever other models were given.

    Raises:
        ValueError: no such back end, or the architecture's attention does not go through diffusers' dispatcher.
        RuntimeError: a package that it needs is missing.
    """
    if name and name not in ATTENTION_BACKENDS:
        message = f"there is no attention back end {name!r}; diffusers has {', '.join(ATTENTION_BACKENDS)}"
        raise ValueError(message)
    if _dispatches(denoiser):
        denoiser.set_attention_backend(name or "native")
    elif name:
        message = (
            f"{type(denoiser).__name__} always uses torch's own attention: leave attention_backend empty for this model"
        )
        raise ValueError(message)


def _dispatches(denoiser: Any) -> bool:
    return any(hasattr(getattr(part, "processor", None), "_attention_backend") for part in denoiser.modules())


def compile_blocks(denoiser: Any) -> None:
    """Compile the blocks that repeat, at their first call: one compilation serves all of a kind."""
    if not getattr(denoiser, "_repeated_blocks", None):
        denoiser._repeated_blocks = REPEATED_BLOCKS.get(type(denoiser).__name__, [])  # noqa: SLF001  diffusers reads it
    denoiser.compile_repeated_blocks()


def tile(vae: Any, tiling: Tiling) -> None:
    """Decode one picture at a time, and those larger than the VAE was trained on in tiles that overlap.

    `always` halves the tiles, so that pictures of the VAE's own size come in tiles too. A tiny VAE needs none.
    """
    vae.enable_slicing()  # less memory, and each picture is decoded as it would be alone
    if tiling == "never" or not hasattr(vae, "tile_latent_min_size") or "latent_magnitude" in vae.config:
        return
    vae.enable_tiling()
    if tiling == "always":
        vae.tile_sample_min_size //= 2
        vae.tile_latent_min_size //= 2


def choose_offload(wanted: Offload, device: torch.device, parts: Mapping[str, float], free: float) -> Offload:
    """What to do on `device` with `free` bytes, where the parts of the pipeline take so many bytes each.

    `auto` keeps all on the device if it fits; else parts if the largest fits; else layers. Devices that share the
    main memory have nothing to gain.

    Raises:
        ValueError: offloading was asked for where the weights cannot be anywhere else.
    """
    shared = device.type in ("cpu", "mps")
    if wanted == "auto":
        if shared or ROOM * sum(parts.values()) <= free:
            return "none"
        return "model" if ROOM * max(parts.values()) <= free else "group"
    if shared and wanted != "none":
        message = f"offload={wanted} moves weights to the main memory, where {device.type} has them already: use none"
        raise ValueError(message)
    return wanted


def free_memory(device: torch.device) -> float:
    """Bytes; infinite where the device shares the main memory."""
    if device.type in ("cpu", "mps"):
        return float("inf")
    free, _total = getattr(torch, device.type).mem_get_info(device)
    return float(free)


def place(pipe: Any, offload: Offload, device: torch.device) -> None:
    """Put a pipeline on `device`, or where its parts are taken from when they are needed.

    `group` and `sequential` bring one layer at a time; `group` brings the next one meanwhile, for which all weights are
    kept in pinned memory. (diffusers' own `enable_sequential_cpu_offload` does not work in torch's inference mode.)
    """
    match offload:
        case "model":
            pipe.enable_model_cpu_offload(device=device)
        case "group" | "sequential":
            streams = offload == "group" and device.type in ("cuda", "xpu")
            pipe.enable_group_offload(onload_device=device, offload_type="leaf_level", use_stream=streams)
        case _:
            pipe.to(device)
