"""A few convolutions from latents to a small picture, trained to give what a model's VAE would, for little work.

A model's folder may have one: `preview_decoder/model.safetensors`. `training/pocket/preview_decoder.py` made pocket's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from runtime.worker.images.engine import Pixels
from services.diffusion.engines.devices import has_bfloat16_units
from services.diffusion.engines.one_thread import one_thread

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


class PreviewBytes(nn.Module):
    """A network from the pipeline's latents to the bytes of pictures; `config` is its VAE's.

    Takes (pictures, channels, height, width), gives (pictures, its height, its width, 3) of uint8.
    """

    def __init__(self, network: PreviewNetwork, config: Any) -> None:
        super().__init__()
        self.network = network
        self._config = config

    def forward(self, latents: Tensor) -> Tensor:
        weight = next(self.network.parameters())
        return _to_bytes(self.network(unscaled(latents, self._config).to(weight.dtype)).float())


class TorchPreview:
    """A `PreviewBytes` on the device of the latents, in the number format and memory order that are fastest there."""

    def __init__(self, network: PreviewBytes, device: torch.device) -> None:
        dtype = torch.bfloat16 if device.type == "cpu" and has_bfloat16_units() else torch.float32
        self._network = network.to(device, dtype)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch declares it for tensors alone

    def __call__(self, latents: Tensor) -> list[Pixels]:
        with one_thread():
            return list(self._network(latents.contiguous(memory_format=torch.channels_last)).cpu().numpy())


def unscaled(latents: Tensor, config: Any) -> Tensor:
    """From the pipeline's scale to that of the VAE with `config`."""
    scale, shift = float(config.scaling_factor), float(getattr(config, "shift_factor", None) or 0.0)
    return latents / scale + shift


def to_arrays(colours: Tensor) -> list[Pixels]:
    """(pictures, 3, height, width) in -1 … 1."""
    return list(_to_bytes(colours).cpu().numpy())


def _to_bytes(colours: Tensor) -> Tensor:
    """(pictures, 3, height, width) in -1 … 1 to (pictures, height, width, 3) of uint8."""
    scaled = colours * 127.5 + 128  # 127.5, and the half that rounds what is cut off
    return scaled.clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8).contiguous()


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
