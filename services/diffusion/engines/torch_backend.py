"""Everything on torch: CUDA, ROCm, XPU, MPS and CPU."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import diffusers
import torch

from contracts.errors import EaselError, ErrorCode
from services.diffusion.catalogue import Model
from services.diffusion.engines.backend import Networks
from services.diffusion.engines.devices import choose_device, choose_dtype, device_name, release
from services.diffusion.engines.loras.hooked import Hooked
from services.diffusion.engines.preview_network import PreviewBytes, TorchPreview, load_preview_network
from services.diffusion.engines.torch_tuning import (
    choose_offload,
    compile_blocks,
    free_memory,
    place,
    set_attention_backend,
    tile,
)
from services.diffusion.engines.weights import load_parts, local_folder, numbers, weights_bytes
from services.diffusion.model_folder import ModelFolder
from services.diffusion.torch_options import DEFAULTS, TorchOptions


class TorchBackend:
    """Satisfies `services.diffusion.engines.backend.Backend`.

    Raises:
        EaselError: no such device here.
    """

    def __init__(self, device: str = "auto", dtype: str = "auto", options: TorchOptions = DEFAULTS) -> None:
        self._device = choose_device(device)
        self._dtype = dtype
        self._options = options.or_else(DEFAULTS)
        if self._device.type == "cuda":
            torch.backends.cudnn.deterministic = True
            torch.backends.cudnn.benchmark = False

    @property
    def name(self) -> str:
        return device_name(self._device)

    @property
    def batches(self) -> bool:
        return True

    def caches(self, model: Model, /) -> bool:
        return model.torch.or_else(self._options).offload in ("auto", "none")

    def size(self, model: Model) -> float:
        return numbers(model) * self._chosen_dtype(model).itemsize

    def _chosen_dtype(self, model: Model) -> torch.dtype:
        return choose_dtype(self._dtype, self._device, model.family.half, weights_bytes(model))

    def load(self, model: Model) -> Networks:
        dtype = self._chosen_dtype(model)
        variant = model.variant if dtype.itemsize == 2 else None  # noqa: PLR2004  bytes of a 16-bit number
        folder = local_folder(model, variant)
        pipe = load_parts(getattr(diffusers, model.family.pipeline), folder, dtype, variant)
        if dtype == torch.float16 and getattr(pipe.vae.config, "force_upcast", False):
            pipe.vae.to(torch.float32)  # its pipelines would do so for each picture, under the others' feet
        if dtype != torch.float32 and "unet" in pipe.components:
            pipe.unet.to(memory_format=torch.channels_last)
            pipe.vae.to(memory_format=torch.channels_last)
        network = load_preview_network(model.folder)
        show = TorchPreview(PreviewBytes(network, pipe.vae.config), self._device) if network else None
        try:
            return replace(self._tuned(pipe, model, folder, dtype), show=show)
        except ValueError as fault:
            raise EaselError(ErrorCode.UNSUPPORTED, f"{model.info.id}: {fault}", param="model") from fault

    def _tuned(self, pipe: Any, model: Model, folder: ModelFolder, dtype: torch.dtype) -> Networks:
        options = model.torch.or_else(self._options)
        denoiser = pipe.unet if "unet" in pipe.components else pipe.transformer
        set_attention_backend(denoiser, options.attention_backend or "")
        tile(pipe.vae, options.vae_tiling or "auto")
        parts = {name: count * dtype.itemsize for name, count in folder.numbers_by_part().items()}
        offload = choose_offload(options.offload or "auto", self._device, parts, free_memory(self._device))
        place(pipe, offload, self._device)
        if options.compile_repeated_blocks:
            compile_blocks(denoiser)
        overlaps = offload == "none" and self._device.type in ("cuda", "xpu")  # they take work from several threads
        return Networks(pipe, overlaps, Hooked, offload != "none", _untried(options))

    def release(self) -> None:
        release(self._device)


def _untried(options: TorchOptions) -> str:
    asked = [f"attention_backend={options.attention_backend}"] if options.attention_backend else []
    return " with ".join([*asked, *(["compile_repeated_blocks"] if options.compile_repeated_blocks else [])])
