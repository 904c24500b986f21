"""Encoded training pictures, kept on disk: the denoiser never pays for an autoencoder twice."""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import torch

from .autoencoder import LATENT_CHANNELS, load_autoencoder, to_tensor
from .checkpoint import report
from .scenes import SIZE, Spec, compose, random_spec
from .sprites import load_sprites

GRID = SIZE // 8
_CHUNK = 16
_CELLS = LATENT_CHANNELS * GRID * GRID


def picture(index: int, seed: int, sprites: np.ndarray) -> np.ndarray:
    """Training picture number ``index``: (256, 256, 3) uint8."""
    rng = random.Random(f"{seed}/{index}")
    return compose(random_spec(rng), sprites, rng)


def spec_of(index: int, seed: int) -> Spec:
    return random_spec(random.Random(f"{seed}/{index}"))


@torch.inference_mode()
def make_latents(workdir: Path, count: int, seed: int, device: str = "cpu") -> None:
    """Draw and encode training pictures until ``count`` are stored; a training run may read along."""
    path, sprites = workdir / "latents.f16", load_sprites(workdir)
    autoencoder, clock = load_autoencoder(workdir).to(device), time.monotonic()
    first = path.stat().st_size // (2 * _CELLS) if path.exists() else 0
    for start in range(first, count, _CHUNK):
        batch = to_tensor(np.stack([picture(index, seed, sprites) for index in range(start, start + _CHUNK)]))
        with torch.autocast(device, torch.bfloat16):
            latents = autoencoder.encode(batch.to(device)).latents
        with path.open("ab") as file:
            file.write(latents.float().cpu().numpy().astype(np.float16).tobytes())
        if start % (64 * _CHUNK) == 0:
            report("latents", start, count, (start - first) / (time.monotonic() - clock))


class LatentPool:
    """The stored latents (float16) and the specs they were drawn from."""

    def __init__(self, workdir: Path, seed: int) -> None:
        self._path, self._seed = workdir / "latents.f16", seed
        self._latents: list[np.ndarray] = []
        self._specs: list[Spec] = []
        self.refresh()

    def __len__(self) -> int:
        return len(self._latents)

    def refresh(self) -> None:
        """Take in what was stored since."""
        stored = np.fromfile(self._path, np.float16, offset=len(self) * 2 * _CELLS)
        fresh = stored[: len(stored) // _CELLS * _CELLS].reshape(-1, LATENT_CHANNELS, GRID, GRID)
        self._specs.extend(spec_of(index, self._seed) for index in range(len(self), len(self) + len(fresh)))
        self._latents.extend(fresh)

    def scaling_factor(self) -> float:
        """Brings the latents to unit variance; from the first pictures only, so that it never changes."""
        return float(1 / np.stack(self._latents[:1024]).astype(np.float32).std())

    def draw(self, count: int, rng: random.Random) -> tuple[torch.Tensor, list[Spec]]:
        """A random batch: latents (count, C, 32, 32) float32, unscaled, and their specs."""
        chosen = [rng.randrange(len(self)) for _ in range(count)]
        return torch.from_numpy(np.stack([self._latents[i] for i in chosen])).float(), [self._specs[i] for i in chosen]
