"""Everything on torch: CUDA, ROCm, XPU, MPS and CPU."""

from __future__ import annotations

from typing import Any

import diffusers
import torch

from services.diffusion.catalogue import Model
from services.diffusion.engines.devices import choose_device, choose_dtype, device_name, release
from services.diffusion.engines.weights import load_parts, local_folder, numbers, weights_bytes


class TorchBackend:
    """Satisfies `services.diffusion.engines.backend.Backend`.

    Raises:
        EaselError: no such device here.
    """

    def __init__(self, device: str = "auto", dtype: str = "auto") -> None:
        self._device = choose_device(device)
        self._dtype = dtype
        if self._device.type == "cuda":
            torch.backends.cudnn.deterministic = True
            torch.backends.cudnn.benchmark = False

    @property
    def name(self) -> str:
        return device_name(self._device)

    @property
    def overlaps(self) -> bool:
        return self._device.type in ("cuda", "xpu")  # they take work from several threads in turn

    @property
    def batches(self) -> bool:
        return True

    def size(self, model: Model) -> float:
        return numbers(model) * self._chosen_dtype(model).itemsize

    def _chosen_dtype(self, model: Model) -> torch.dtype:
        return choose_dtype(self._dtype, self._device, model.family.half, weights_bytes(model))

    def load(self, model: Model) -> Any:
        dtype = self._chosen_dtype(model)
        variant = model.variant if dtype.itemsize == 2 else None  # noqa: PLR2004  bytes of a 16-bit number
        pipeline_class = getattr(diffusers, model.family.pipeline)
        pipe = load_parts(pipeline_class, local_folder(model, variant), dtype, variant)
        pipe.vae.enable_slicing()  # one picture at a time: less memory, and each decoded as it would be alone
        if dtype == torch.float16 and getattr(pipe.vae.config, "force_upcast", False):
            pipe.vae.to(torch.float32)  # its pipelines would do so for each picture, under the others' feet
        if dtype != torch.float32 and "unet" in pipe.components:
            pipe.unet.to(memory_format=torch.channels_last)
            pipe.vae.to(memory_format=torch.channels_last)
        return pipe.to(self._device)

    def release(self) -> None:
        release(self._device)
