"""Samplers in NumPy: LCM for models distilled for it, DDIM for the others. Both as in diffusers 0.42."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from services.axera_edge.description import NoiseSchedule
from services.axera_edge.noise import Array

TRAIN_STEPS = 1000
_LCM_GRID = 50
"""Steps of the teacher that LCM was distilled from."""
_LCM_SIGMA_DATA, _LCM_TIMESTEP_SCALING = 0.5, 10.0

DrawNoise = Callable[[], Array]


class Place(NamedTuple):
    """One step: where the latents are, 999 … 0, and where it takes them; below 0 is the finished picture."""

    timestep: int
    goal: int


class Stepped(NamedTuple):
    """What a step gives, both float32 of the latents' shape."""

    latents: Array
    foreseen: Array
    """The finished picture's latents as they look from here."""


class Scheduler(Protocol):
    """Where to denoise, and how to get from one place to the next."""

    def places(self, steps: int) -> list[Place]:
        """`steps` of them from pure noise to the picture."""

    def kept_steps(self, steps: int, strength: float) -> int:
        """How many of the last places a picture to start from goes through, 1 … `steps`."""

    def add_noise(self, latents: Array, noise: Array, timestep: int) -> Array:
        """A picture's `latents` as they would be found at `timestep`."""

    def step(self, latents: Array, output: Array, place: Place, noise: DrawNoise) -> Stepped:
        """Take one step; `output` is the denoiser's, `noise` draws what the step needs anew."""


def alphas_cumprod(schedule: NoiseSchedule) -> Array:
    """float32 (1000,): the share of the picture left at each timestep, squared."""
    ends = schedule.beta_start**0.5, schedule.beta_end**0.5
    kept: Array = np.cumprod(1 - np.linspace(*ends, TRAIN_STEPS, dtype=np.float32) ** 2, dtype=np.float32)
    if not schedule.rescale_zero_snr:
        return kept
    roots = np.sqrt(kept)  # Lin et al. 2023, algorithm 1: the last timestep becomes noise alone
    roots = (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])
    rescaled: Array = roots**2
    return rescaled


class _Base:
    def __init__(self, schedule: NoiseSchedule) -> None:
        self._schedule = schedule
        self._alphas = alphas_cumprod(schedule)

    def add_noise(self, latents: Array, noise: Array, timestep: int) -> Array:
        kept = self._alphas[timestep]
        noisy: Array = np.sqrt(kept) * latents + np.sqrt(1 - kept) * noise
        return noisy

    def _foreseen(self, latents: Array, output: Array, timestep: int) -> tuple[Array, Array]:
        """The picture and the noise in `latents`."""
        kept = self._alphas[timestep]
        root, rest = np.sqrt(kept), np.sqrt(1 - kept)
        if self._schedule.prediction == "v_prediction":
            return root * latents - rest * output, root * output + rest * latents
        return (latents - rest * output) / root, output


class LCMScheduler(_Base):
    """Few large steps, each to a whole picture and back to less noise (Luo et al. 2023)."""

    def places(self, steps: int) -> list[Place]:
        stride = TRAIN_STEPS // _LCM_GRID
        grid = [stride * place - 1 for place in range(_LCM_GRID, 0, -1)]
        timesteps = [grid[_LCM_GRID * index // steps] for index in range(steps)]
        return [Place(*pair) for pair in zip(timesteps, [*timesteps[1:], -1], strict=True)]

    def kept_steps(self, steps: int, strength: float) -> int:
        """Of four steps one up to a strength of 0.35, two up to 0.60, three up to 0.85."""
        return max(1, min(steps, math.ceil(round((strength - 0.1) * steps, 6))))

    def step(self, latents: Array, output: Array, place: Place, noise: DrawNoise) -> Stepped:
        picture, _ = self._foreseen(latents, output, place.timestep)
        scaled = place.timestep * _LCM_TIMESTEP_SCALING
        width = scaled**2 + _LCM_SIGMA_DATA**2
        skip, out = np.float32(_LCM_SIGMA_DATA**2 / width), np.float32(scaled / width**0.5)
        denoised = out * picture + skip * latents
        return Stepped(denoised if place.goal < 0 else self.add_noise(denoised, noise(), place.goal), denoised)


class DDIMScheduler(_Base):
    """Without noise of its own, timesteps spaced from the end ("trailing")."""

    def places(self, steps: int) -> list[Place]:
        timesteps = [round(TRAIN_STEPS - index * TRAIN_STEPS / steps) - 1 for index in range(steps)]
        return [Place(timestep, timestep - TRAIN_STEPS // steps) for timestep in timesteps]

    def kept_steps(self, steps: int, strength: float) -> int:
        return max(1, min(steps, int(steps * strength)))

    def step(self, latents: Array, output: Array, place: Place, noise: DrawNoise) -> Stepped:
        del noise
        picture, found = self._foreseen(latents, output, place.timestep)
        kept = self._alphas[place.goal] if place.goal >= 0 else np.float32(1)
        return Stepped(np.sqrt(kept) * picture + np.sqrt(1 - kept) * found, picture)


SCHEDULERS: dict[str, type[LCMScheduler | DDIMScheduler]] = {"LCM": LCMScheduler, "DDIM": DDIMScheduler}
"""By the names that users know."""
