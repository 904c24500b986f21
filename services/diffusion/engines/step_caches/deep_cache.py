"""DeepCache for UNets: between whole steps, only the layers next to the picture run.

After Ma, Fang and Wang, "DeepCache: Accelerating Diffusion Models for Free" (https://arxiv.org/abs/2312.00858), with
its first skip connection: what the deeper layers gave is kept, and joined anew with what the first layer sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, ModuleList

from services.diffusion.engines.batching.calls import Call
from services.diffusion.engines.batching.shared import runner
from services.diffusion.engines.step_caches.swapped import swapped


class DeepCache:
    """Satisfies `RunCalls` for one request: every `interval` steps run whole, the first one among them."""

    def __init__(self, unet: Any, interval: float) -> None:
        self._unet = unet
        self._interval = int(interval)
        self._run = runner(unet)
        self._steps = 0
        self._deep: Tensor | None = None

    def __call__(self, calls: Sequence[Call]) -> list[Any]:
        kept = self._deep if self._steps % self._interval else None
        self._steps += 1
        return self._whole(calls) if kept is None else self._shallow(calls, kept)

    def _whole(self, calls: Sequence[Call]) -> list[Any]:
        last = self._unet.up_blocks[-1].resnets[-1]
        watching = last.register_forward_pre_hook(self._keep)
        try:
            return self._run(calls)
        finally:
            watching.remove()

    def _keep(self, _layer: Module, given: tuple[Tensor, ...]) -> None:
        """The last layer sees what comes from the deep, and behind it what the first layer made."""
        self._deep = given[0][:, : -self._unet.conv_in.out_channels]

    def _shallow(self, calls: Sequence[Call], deep: Tensor) -> list[Any]:
        last = _LastLayer(self._unet.up_blocks[-1], deep)
        shallow = {"down_blocks": ModuleList(), "mid_block": None, "up_blocks": ModuleList([last])}
        with swapped(self._unet, shallow):
            return self._run(calls)


class _LastLayer(Module):
    """In the place of all blocks: the last layer of the last one, over what was kept."""

    def __init__(self, block: Any, deep: Tensor) -> None:
        super().__init__()
        self.has_cross_attention = bool(getattr(block, "has_cross_attention", False))
        self.resnets = block.resnets[-1:]
        self._attentions = block.attentions[-1:] if self.has_cross_attention else ModuleList()
        self._deep = deep

    def forward(self, temb: Tensor, res_hidden_states_tuple: Sequence[Tensor], **options: Any) -> Tensor:
        for unused in ("hidden_states", "upsample_size"):  # no last block has an upsampler
            options.pop(unused, None)
        made: Tensor = self.resnets[0](torch.cat([self._deep, res_hidden_states_tuple[-1]], dim=1), temb)
        for attention in self._attentions:
            made = attention(made, return_dict=False, **options)[0]
        return made
