"""A few convolutions from latents to a small picture, trained to give what a model's VAE would, for little work.

A model's folder may have one: `preview_decoder/model.safetensors`. `training/pocket/preview_decoder.py` made pocket's.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from services.diffusion.engines.devices import has_bfloat16_units

FILE = "preview_decoder/model.safetensors"
SCALE = 4
"""Pixels for a latent, on each side."""
CHANNELS = 32


class PreviewNetwork(nn.Module):
    """From latents (pictures, channels, height, width) in the VAE's scale.

    Gives colours (pictures, 3, `SCALE` x height, `SCALE` x width) in -1 … 1.
    """

    def __init__(self, latent_channels: int, channels: int = CHANNELS) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(latent_channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, 3 * SCALE**2, 3, padding=1),
            nn.PixelShuffle(SCALE),
        )

    def forward(self, latents: Tensor) -> Tensor:
        colours: Tensor = self.layers(latents)
        return colours

    def shown(self, latents: Tensor) -> Tensor:
        """As `forward`, where the latents are, in the number format and memory order that are fastest there."""
        own = next(self.parameters())
        if own.device != latents.device or not own.is_contiguous(memory_format=torch.channels_last):
            dtype = torch.bfloat16 if latents.device.type == "cpu" and has_bfloat16_units() else torch.float32
            self.to(latents.device, dtype)
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch declares it for tensors alone
            own = next(self.parameters())
        return self.forward(latents.to(own.dtype, memory_format=torch.channels_last))


def load_preview_network(folder: Path | None) -> PreviewNetwork | None:
    """The one in a model's folder; None where there is none.

    Raises:
        ValueError: the file is damaged, or another network's.
    """
    file = folder / FILE if folder else None
    if file is None or not file.is_file():
        return None
    try:
        weights = load_file(file)
        channels, latent_channels = weights["layers.0.weight"].shape[:2]
        network = PreviewNetwork(latent_channels, channels)
        network.load_state_dict(weights)
    except (SafetensorError, LookupError, RuntimeError) as fault:
        raise ValueError(f"{file} holds no preview network: {fault}") from fault
    return network.float().eval().requires_grad_(requires_grad=False)
