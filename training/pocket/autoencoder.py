"""The picture autoencoder: 256x256 RGB to a small latent grid and back."""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch.nn import functional

from .checkpoint import Checkpoint, report
from .scenes import SIZE, compose, random_spec
from .sprites import load_sprites

CROP = 128
BATCH = 16
LEARNING_RATE = 1.5e-3
POOL = 384
_CHANNELS = 32
LATENT_CHANNELS = 4


def build_autoencoder() -> AutoencoderTiny:
    """Four levels, so one latent cell covers 8x8 pixels; no normalisation, which would wash out flat colours."""
    return AutoencoderTiny(
        encoder_block_out_channels=(_CHANNELS,) * 4,
        decoder_block_out_channels=(_CHANNELS,) * 4,
        num_encoder_blocks=(0, 1, 3, 4),
        num_decoder_blocks=(4, 3, 2, 1),
        latent_channels=LATENT_CHANNELS,
    )


def to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float32 in [-1, 1], channels last."""
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(
        memory_format=torch.channels_last
    )


class CropStream:
    """Random crops of composed pictures, from a pool that is renewed a few pictures a batch."""

    def __init__(self, sprites: np.ndarray, seed: int) -> None:
        self._sprites, self._rng = sprites, random.Random(seed)
        self._pool = [self._draw() for _ in range(POOL)]

    def _draw(self) -> np.ndarray:
        return compose(random_spec(self._rng), self._sprites, self._rng)

    def batch(self) -> torch.Tensor:
        for _ in range(BATCH // 2):
            self._pool[self._rng.randrange(POOL)] = self._draw()
        crops = []
        for _ in range(BATCH):
            y, x = self._rng.randrange(SIZE - CROP + 1), self._rng.randrange(SIZE - CROP + 1)
            crops.append(self._rng.choice(self._pool)[y : y + CROP, x : x + CROP])
        return to_tensor(np.stack(crops))


def _edges(picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return picture[..., 1:, :] - picture[..., :-1, :], picture[..., :, 1:] - picture[..., :, :-1]


def reconstruction_loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """L1 on pixels and on their differences (edges are what clip-art is made of), and L2 for flat colours."""
    edges = sum(functional.l1_loss(a, b) for a, b in zip(_edges(output), _edges(target), strict=True))
    return functional.l1_loss(output, target) + functional.mse_loss(output, target) + 0.5 * edges


def _step(model: AutoencoderTiny, batch: torch.Tensor, encoder_frozen: bool) -> torch.Tensor:
    with torch.autocast(batch.device.type, torch.bfloat16):
        with torch.set_grad_enabled(not encoder_frozen):
            latents = model.encode(batch).latents
        # A little noise keeps the decoder tolerant of the denoiser's small errors and the latents evenly spread.
        noisy = latents + 0.06 * latents.detach().float().std() * torch.randn_like(latents)
        output = model.decode(noisy).sample
    loss = reconstruction_loss(output.float(), batch)
    return loss if encoder_frozen else loss + 1e-3 * latents.float().square().mean()


def _train(
    path: Path, model: AutoencoderTiny, steps: int, seed: int, device: str, encoder_frozen: bool = False
) -> None:
    """Train (or go on training) to ``steps`` in all, with the checkpoint at ``path``."""
    torch.manual_seed(seed)
    trained = model.decoder if encoder_frozen else model
    optimizer = torch.optim.AdamW(trained.parameters(), lr=LEARNING_RATE, weight_decay=0.0, betas=(0.9, 0.99))
    checkpoint = Checkpoint(path, model=model, optimizer=optimizer)
    start, clock = checkpoint.load(), time.monotonic()
    stream = CropStream(load_sprites(path.parent), seed + start) if start < steps else None
    for step in range(start, steps):
        warm, cool = min(1.0, (step + 1) / 50), max(0.02, min(1.0, 2 * (1 - step / steps)))
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * warm * cool
        loss = _step(model, stream.batch().to(device), encoder_frozen)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 49:
            report(
                path.stem, step + 1, steps, (step + 1 - start) * BATCH / (time.monotonic() - clock), loss=loss.item()
            )
            checkpoint.save_if_due(step + 1)
    checkpoint.save(steps)


def train_autoencoder(workdir: Path, steps: int, seed: int, device: str = "cpu") -> None:
    """Three quarters of the steps freely, the rest with standardised latents, so that noise hits every channel alike."""
    model, free = build_autoencoder().to(device, memory_format=torch.channels_last), steps * 3 // 4
    _train(workdir / "autoencoder.raw.pt", model, free, seed, device)
    final = workdir / "autoencoder.pt"
    if not final.exists():
        stream = CropStream(load_sprites(workdir), seed)
        standardise(model, torch.cat([stream.batch() for _ in range(16)]).to(device))
    _train(final, model, steps - free, seed + 1, device)


def refine_decoder(workdir: Path, steps: int, seed: int, device: str = "cpu") -> None:
    """Train the decoder alone, under the latents the denoiser has learned."""
    model = build_autoencoder().to(device, memory_format=torch.channels_last)
    Checkpoint(workdir / "autoencoder.pt", model=model).load()
    _train(workdir / "decoder.pt", model, steps, seed + 2, device, encoder_frozen=True)


@torch.no_grad()
def standardise(model: AutoencoderTiny, batch: torch.Tensor) -> None:
    """Fold a per-channel shift and scale into encoder and decoder, so that latents have mean 0 and variance 1.

    The decoder clamps its input softly before the first convolution, so it fits only nearly: refine it afterwards.
    """
    latents = model.encode(batch).latents.float()
    mean, std = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    last, first = model.encoder.layers[-1], model.decoder.layers[0]
    last.weight.div_(std[:, None, None, None])
    last.bias.sub_(mean).div_(std)
    first.bias.add_(torch.einsum("oikl,i->o", first.weight, mean))
    first.weight.mul_(std[None, :, None, None])


def load_autoencoder(workdir: Path) -> AutoencoderTiny:
    """The trained autoencoder, with the refined decoder when there is one."""
    refined = workdir / "decoder.pt"
    state = torch.load(refined if refined.exists() else workdir / "autoencoder.pt", weights_only=False)["model"]
    model = build_autoencoder()
    model.load_state_dict(state)
    return model.eval().to(memory_format=torch.channels_last)
