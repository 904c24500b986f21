"""What the picture would be if the model were right now: predicted by each step, shown only when somebody looks."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

CALIBRATION_SIDE = 128
"""Pixels of the picture from which a projection is learnt: at eight pixels to a latent, 256 samples for 5 to 17
unknowns, at 1/16 of the cost of a picture of 512."""

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
    """Latents to small pictures: by the model's own VAE where that is a tiny one, else by a linear projection.

    The projection is the least-squares fit of the VAE's decoder to two synthetic pictures, made at the first preview.
    """

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        self._is_tiny = "latent_magnitude" in vae.config  # AutoencoderTiny's own word
        self._projection: Tensor | None = None  # (channels + 1, 3), the last row a constant

    def __call__(self, latents: Tensor) -> list[Image.Image]:
        """Pictures of latents (pictures, channels, height, width) in the pipeline's own scale."""
        raw = _unscaled(latents, self._vae.config).to(self._vae.device, self._vae.dtype)
        if self._is_tiny:
            small = torch.nn.functional.avg_pool2d(raw, 2) if min(raw.shape[-2:]) >= HALVED else raw
            return _pictures(self._vae.decode(small, return_dict=False)[0].float())
        if self._projection is None:
            self._projection = _fit(self._vae)
        return _pictures(_project(raw.float(), self._projection))


def _unscaled(latents: Tensor, config: Any) -> Tensor:
    """From the pipeline's scale to the VAE's."""
    scale, shift = float(config.scaling_factor), float(getattr(config, "shift_factor", None) or 0.0)
    return latents / scale + shift


def _fit(vae: Any) -> Tensor:
    """From two pictures: one of colours as the encoder sees it, one of latents of the variance that denoisers leave."""
    encoded = vae.encode(_colours(CALIBRATION_SIDE).to(vae.device, vae.dtype)).latent_dist.mode()
    rough = torch.randn(encoded.shape, generator=torch.Generator().manual_seed(0))
    latents = torch.cat([encoded, _unscaled(rough, vae.config).to(encoded)])
    decoded = vae.decode(latents, return_dict=False)[0].float()
    seen = torch.nn.functional.adaptive_avg_pool2d(decoded, (latents.shape[-2], latents.shape[-1]))
    rows = _with_constant(latents.float()).flatten(0, 2).cpu().double()
    wanted = seen.permute(0, 2, 3, 1).flatten(0, 2).cpu().double()
    solution: Tensor = torch.linalg.lstsq(rows, wanted, driver="gelsd").solution
    return solution.float().to(vae.device)


def _colours(side: int) -> Tensor:
    """Patches of random colours over smooth ramps, (1, 3, side, side) in -1 … 1, the same every time."""
    random = torch.Generator().manual_seed(0)
    patches = torch.rand(1, 3, side // 16, side // 16, generator=random) * 2 - 1
    ramps = torch.rand(1, 3, 2, 2, generator=random) * 2 - 1
    grown = torch.nn.functional.interpolate(ramps, (side, side), mode="bilinear", align_corners=True)
    return (grown + torch.nn.functional.interpolate(patches, (side, side))).clamp(-1, 1)


def _project(latents: Tensor, projection: Tensor) -> Tensor:
    return (_with_constant(latents) @ projection).permute(0, 3, 1, 2)


def _with_constant(latents: Tensor) -> Tensor:
    """Channels last, and a 1 behind them."""
    return torch.nn.functional.pad(latents.permute(0, 2, 3, 1), (0, 1), value=1.0)


def _pictures(numbers: Tensor) -> list[Image.Image]:
    """(pictures, 3, height, width) in -1 … 1."""
    scaled = (torch.nan_to_num(numbers) * 127.5 + 127.5).round().clamp(0, 255).to(torch.uint8)
    return [Image.fromarray(np.ascontiguousarray(one)) for one in scaled.permute(0, 2, 3, 1).cpu().numpy()]
