"""Encoded training pictures, kept on disk: the denoiser never pays for an autoencoder twice."""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import torch

from .autoencoder import LATENT_CHANNELS, load_autoencoder, to_tensor
from .checkpoint import report
from .scenes import FRAMES, SIZE, Spec, compose, random_spec
from .sprites import load_sprites

GRID = SIZE // 8
SQUARE_SHARE = 0.5
"""How much of the training is on square pictures; the other frames share the rest."""
_CHUNK = 16
Frame = tuple[int, int]


def _shape(frame: Frame) -> tuple[int, int, int]:
    return LATENT_CHANNELS, frame[1] // 8, frame[0] // 8


def _path(workdir: Path, frame: Frame) -> Path:
    return workdir / f"latents.{frame[0]}x{frame[1]}.f16"


def _bytes_each(frame: Frame) -> int:
    return 2 * int(np.prod(_shape(frame)))


def _rng(seed: int, frame: Frame, index: int) -> random.Random:
    return random.Random(f"{seed}/{frame[0]}x{frame[1]}/{index}")


def picture(index: int, seed: int, sprites: np.ndarray, frame: Frame) -> np.ndarray:
    """Training picture number ``index`` of a frame: (height, width, 3) uint8."""
    rng = _rng(seed, frame, index)
    return compose(random_spec(rng), sprites, rng, frame)


def spec_of(index: int, seed: int, frame: Frame) -> Spec:
    return random_spec(_rng(seed, frame, index))


def make_latents(workdir: Path, count: int, seed: int, device: str = "cpu") -> None:
    """Draw and encode training pictures until ``count`` are stored, shared among the frames as the training shares them."""
    others = len(FRAMES) - 1
    for frame in FRAMES:
        square = frame[0] == frame[1]
        share = SQUARE_SHARE if square else (1 - SQUARE_SHARE) / others
        _make(workdir, frame, round(count * share), seed, device)


@torch.inference_mode()
def _make(workdir: Path, frame: Frame, count: int, seed: int, device: str) -> None:
    path, sprites = _path(workdir, frame), load_sprites(workdir)
    autoencoder, clock = load_autoencoder(workdir).to(device), time.monotonic()
    first = path.stat().st_size // _bytes_each(frame) if path.exists() else 0
    for start in range(first, count, _CHUNK):
        pictures = [picture(index, seed, sprites, frame) for index in range(start, start + _CHUNK)]
        with torch.autocast(device, torch.bfloat16):
            latents = autoencoder.encode(to_tensor(np.stack(pictures)).to(device)).latents
        with path.open("ab") as file:
            file.write(latents.float().cpu().numpy().astype(np.float16).tobytes())
        if start % (64 * _CHUNK) == 0:
            report(f"latents {path.stem}", start, count, (start - first) / (time.monotonic() - clock))


class LatentPool:
    """The stored latents (float16) of one frame and the specs they were drawn from."""

    def __init__(self, workdir: Path, seed: int, frame: Frame = (SIZE, SIZE)) -> None:
        stored = np.fromfile(_path(workdir, frame), np.float16)
        whole = len(stored) // (_bytes_each(frame) // 2)
        self._latents = stored[: whole * _bytes_each(frame) // 2].reshape(-1, *_shape(frame))
        self._specs = [spec_of(index, seed, frame) for index in range(whole)]

    def __len__(self) -> int:
        return len(self._latents)

    def scaling_factor(self) -> float:
        """Brings the latents to unit variance; from the first pictures only, so that it never changes."""
        return float(1 / self._latents[:1024].astype(np.float32).std())

    def draw(self, count: int, rng: random.Random) -> tuple[torch.Tensor, list[Spec]]:
        """A random batch: latents (count, C, height / 8, width / 8) float32, unscaled, and their specs."""
        chosen = [rng.randrange(len(self)) for _ in range(count)]
        return torch.from_numpy(self._latents[chosen]).float(), [self._specs[i] for i in chosen]


class LatentPools:
    """A pool for each frame. Batches are of one frame, half of them square."""

    def __init__(self, workdir: Path, seed: int) -> None:
        self._pools = [LatentPool(workdir, seed, frame) for frame in FRAMES]

    def __len__(self) -> int:
        return sum(map(len, self._pools))

    def scaling_factor(self) -> float:
        return self._pools[0].scaling_factor()

    def choose(self, rng: random.Random) -> LatentPool:
        """The pool of the next batch."""
        return self._pools[0] if rng.random() < SQUARE_SHARE else rng.choice(self._pools[1:])
