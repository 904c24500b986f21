"""What a request's private pipeline has in the place of the model's parts: the same, run in the device's thread."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor

from services.diffusion.engines.batching.calls import Call, call_of, merged, parted
from services.diffusion.engines.batching.device_thread import DeviceThread, RunCalls

Beside = Callable[[Callable[[], Any]], Any]
"""Runs what is no denoising step: in the device's thread, or in the caller's where the device allows."""


class _Shared(torch.nn.Module):
    """Pipelines ask a part for its configuration, its dtype and more; the part answers. It stays where it is."""

    def __init__(self, part: Any) -> None:
        super().__init__()
        object.__setattr__(self, "part", part)  # not a submodule: its weights are not this one's

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "part"), name)

    def to(self, *_args: Any, **_options: Any) -> Self:
        """Some pipelines move a VAE to another dtype and back, which others that share it would notice."""
        return self


class Denoiser(_Shared):
    """In the place of `unet` or `transformer`; `run` is the model's `runner`."""

    def __init__(self, part: Any, device: DeviceThread, member: object, size: Hashable, run: RunCalls) -> None:
        super().__init__(part)
        self._signature = inspect.signature(part.forward)
        self._device, self._member, self._size, self._run = device, member, size, run

    def forward(self, *args: Any, **options: Any) -> tuple[Any]:
        return (self._device.denoise(self._member, self.call(args, options), self._run),)

    def call(self, args: Sequence[Any], options: Mapping[str, Any]) -> Call:
        return call_of(self._signature, args, options, self._size)


class Vae(_Shared):
    """In the place of `vae`. Numbers come in the pipeline's dtype, of which the VAE's may differ."""

    def __init__(self, part: Any, beside: Beside) -> None:
        super().__init__(part)
        self._beside = beside

    def decode(self, z: Tensor, *args: Any, **options: Any) -> Any:
        return self._beside(lambda: self.part.decode(z.to(self.part.dtype), *args, **options))

    def encode(self, x: Tensor, *args: Any, **options: Any) -> Any:
        return self._beside(lambda: self.part.encode(x.to(self.part.dtype), *args, **options))


def runner(denoiser: Any) -> RunCalls:
    """Runs calls of one kind on `denoiser` as one."""

    def run(calls: Sequence[Call]) -> list[Any]:
        return parted(denoiser(**{**merged(calls), "return_dict": False})[0], calls)

    return run
