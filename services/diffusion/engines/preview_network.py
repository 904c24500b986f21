"""A few convolutions from latents to a small picture, trained to give what a model's VAE would, for little work.

A model's folder may have one: `preview_decoder/model.safetensors`. `training/pocket/preview_decoder.py` made pocket's.
"""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

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
            _conv(latent_channels, channels),
            nn.ReLU(),
            _conv(channels, channels),
            nn.ReLU(),
            _conv(channels, 3 * SCALE**2),
            nn.PixelShuffle(SCALE),
        )

    def forward(self, latents: Tensor) -> Tensor:
        colours: Tensor = self.layers(latents)
        return colours


def _conv(given: int, made: int) -> nn.Conv2d:
    return nn.Conv2d(given, made, 3, padding=1, padding_mode="replicate")


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
