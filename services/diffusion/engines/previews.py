"""What the picture would be if the model were right now: predicted by each step, shown only when somebody looks."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from runtime.worker.images.engine import Pixels
from services.diffusion.engines.backend import Show
from services.diffusion.engines.preview_network import to_arrays, unscaled

Projection = tuple[Tensor, Tensor]
"""Weight and bias of a 3x3 convolution from latents to `FINER` x `FINER` pixels each."""

CALIBRATION_SIDE = 64
"""Pixels of the pictures from which a projection is learnt: at eight pixels to a latent, 768 samples for 37 to 145
unknowns, at a fifth of the cost of a picture of 512."""
CALIBRATION_PICTURES = 4
FINER = 2
"""Pixels of a preview for a latent, on each side."""
RIDGE = 1e-3
"""Keeps the fit from following what few samples happen to show."""


HALVED = 32
"""Latents on a side from which a tiny VAE decodes half as many: a quarter of the time, for 128 pixels at least."""


class StepWatch:
    """Stands before a scheduler's `step` and keeps what it last saw, by reference: it costs nothing until it is read.

    The scheduler must be private to one request.
    """

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._last: tuple[Tensor, Any, Tensor, tuple[Tensor, ...]] | None = None
        step = scheduler.step

        @functools.wraps(step)  # pipelines read the signature: only some schedulers take a generator
        def watched(model_output: Tensor, timestep: Any, sample: Tensor, *args: Any, **options: Any) -> Any:
            result = step(model_output, timestep, sample, *args, **options)
            self._last = (model_output, timestep, sample, result)
            return result

        scheduler.step = watched

    def predicted(self) -> Tensor:
        """The latents without their noise, as predicted in the last step, in the shape that the step had."""
        if self._last is None:
            message = "no step was made"
            raise RuntimeError(message)
        output, timestep, sample, result = self._last
        return result[1] if len(result) > 1 else self._derived(output, timestep, sample)  # most schedulers return it

    def _derived(self, output: Tensor, timestep: Any, sample: Tensor) -> Tensor:
        scheduler = self._scheduler
        if hasattr(scheduler, "model_outputs"):  # those of several orders keep it
            kept: Tensor = scheduler.model_outputs[-1]
            return kept
        if type(scheduler).__name__.startswith("FlowMatch"):
            sigma: Tensor = scheduler.sigmas[scheduler.step_index - 1].to(sample)
            return sample - sigma * output
        signal: Tensor = scheduler.alphas_cumprod[int(timestep)].to(sample)
        noise = (1 - signal).sqrt()
        if scheduler.config.prediction_type == "v_prediction":
            return signal.sqrt() * sample - noise * output
        return (sample - noise * output) / signal.sqrt()


class PreviewDecoder:
    """Latents to small pictures: by the model's preview network, else its VAE if it is a tiny one, else a projection.

    The linear projection of each latent and its neighbours is the least-squares fit of the VAE's decoder to a few
    synthetic pictures, made at the first preview. A tiny VAE's latents are too little like colours for it.
    """

    def __init__(self, vae: Any, show: Show | None = None) -> None:
        self._vae = vae
        self._show = show
        self._is_tiny = "latent_magnitude" in vae.config  # AutoencoderTiny's own word
        self._fitting = threading.Lock()
        self._projection: Projection | None = None

    def __call__(self, latents: Tensor, beside: Callable[[Callable[[], Any]], Any]) -> list[Pixels]:
        """Pictures of latents (pictures, channels, height, width) in the pipeline's own scale.

        What needs the VAE is run by `beside`.
        """
        if self._show is not None:
            return self._show(latents)
        return to_arrays(self._colours(latents, beside))

    def _colours(self, latents: Tensor, beside: Callable[[Callable[[], Any]], Any]) -> Tensor:
        """As small as they are shown, (pictures, 3, height, width) in -1 … 1."""
        raw = unscaled(latents, self._vae.config)
        if self._is_tiny:
            small = functional.avg_pool2d(raw, 2) if min(raw.shape[-2:]) >= HALVED else raw
            decoded: Tensor = beside(lambda: self._vae.decode(small.to(self._vae.dtype), return_dict=False)[0])
            return decoded.float()
        with self._fitting:
            if self._projection is None:
                self._projection = beside(lambda: _fit(self._vae, raw.device))
        return _project(raw.float(), self._projection)


def _fit(vae: Any, device: torch.device) -> Projection:
    """From colours as the encoder sees them, and latents of the variance that denoisers leave, rough and smooth.

    `device` is where the VAE computes; its weights may wait elsewhere.
    """
    encoded = _encoded(vae, _colours().to(device, vae.dtype))
    latents = torch.cat([encoded, *(unscaled(it, vae.config).to(encoded) for it in _noise(encoded.shape))])
    decoded = vae.decode(latents, return_dict=False)[0].float()
    high, wide = latents.shape[-2:]
    seen = functional.adaptive_avg_pool2d(decoded, (high * FINER, wide * FINER))
    rows = _with_neighbours(latents.float()).cpu().double()
    wanted = functional.pixel_unshuffle(seen, FINER).permute(0, 2, 3, 1).flatten(0, 2).cpu().double()
    penalty = RIDGE * len(rows) * torch.eye(rows.shape[1], dtype=torch.double)
    solution = torch.linalg.solve(rows.T @ rows + penalty, rows.T @ wanted).float().to(device)
    return solution[:-1].T.unflatten(1, (latents.shape[1], 3, 3)).contiguous(), solution[-1]


def _encoded(vae: Any, colours: Tensor) -> Tensor:
    coded = vae.encode(colours, return_dict=False)[0]
    latents: Tensor = coded if isinstance(coded, Tensor) else coded.mode()
    return latents


def _colours() -> Tensor:
    """Patches of random colours over smooth ramps in -1 … 1, the same every time."""
    random, count, side = torch.Generator().manual_seed(0), CALIBRATION_PICTURES, CALIBRATION_SIDE
    patches = torch.rand(count, 3, side // 16, side // 16, generator=random) * 2 - 1
    ramps = torch.rand(count, 3, 2, 2, generator=random) * 2 - 1
    grown = functional.interpolate(ramps, (side, side), mode="bilinear", align_corners=True)
    return (grown + functional.interpolate(patches, (side, side))).clamp(-1, 1)


def _noise(shape: torch.Size) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    pictures, channels, high, wide = shape
    rough = torch.randn(shape, generator=random)
    few = torch.randn(pictures, channels, max(1, high // 4), max(1, wide // 4), generator=random)
    return rough, functional.interpolate(few, (high, wide), mode="bicubic")


def _with_neighbours(latents: Tensor) -> Tensor:
    """(places, 9 x channels and a 1)."""
    around = functional.unfold(functional.pad(latents, (1, 1, 1, 1), mode="replicate"), 3)
    return functional.pad(around.transpose(1, 2).flatten(0, 1), (0, 1), value=1.0)


def _project(latents: Tensor, projection: Projection) -> Tensor:
    padded = functional.pad(latents, (1, 1, 1, 1), mode="replicate")
    return functional.pixel_shuffle(functional.conv2d(padded, *projection), FINER)
