"""The samplers are diffusers' own, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from services.axera_edge.description import NoiseSchedule
from services.axera_edge.noise import Array, TorchNoise
from services.axera_edge.schedulers import DDIMScheduler, LCMScheduler, Scheduler, alphas_cumprod

SHAPE = (1, 4, 8, 8)
LCM_TIMESTEPS = {
    1: [999],
    2: [999, 499],
    3: [999, 679, 339],
    4: [999, 759, 499, 259],
    8: [999, 879, 759, 639, 499, 379, 259, 139],
}


def test_the_share_of_the_picture_is_that_of_stable_diffusion() -> None:
    found = alphas_cumprod(NoiseSchedule())[[999, 759, 499, 259]]
    assert found == pytest.approx([0.00466, 0.052213, 0.27767, 0.658976], rel=1e-3)


@pytest.mark.parametrize("steps", LCM_TIMESTEPS)
def test_lcm_goes_through_the_teachers_timesteps(steps: int) -> None:
    assert [place.timestep for place in LCMScheduler(NoiseSchedule()).places(steps)] == LCM_TIMESTEPS[steps]


@pytest.mark.parametrize(
    ("strength", "steps"),
    [(0.0, 1), (0.35, 1), (0.36, 2), (0.5, 2), (0.6, 2), (0.61, 3), (0.85, 3), (0.86, 4), (1.0, 4)],
)
def test_lcm_takes_the_more_of_four_steps_the_greater_the_strength(strength: float, steps: int) -> None:
    assert LCMScheduler(NoiseSchedule()).kept_steps(4, strength) == steps


def denoised(scheduler: Scheduler, steps: int, noise: TorchNoise) -> list[Array]:
    latents, seen = noise.normal(SHAPE), []
    for place in scheduler.places(steps):
        latents, _ = scheduler.step(latents, np.tanh(latents), place, lambda: noise.normal(SHAPE))
        seen.append(latents)
    return seen


def by_diffusers(scheduler: Any, steps: int, seed: int) -> list[Array]:
    import torch

    generator = torch.Generator("cpu").manual_seed(seed)
    latents, seen = torch.randn(SHAPE, generator=generator), []
    scheduler.set_timesteps(steps)
    for timestep in scheduler.timesteps:
        latents = scheduler.step(torch.tanh(latents), timestep, latents, generator=generator).prev_sample
        seen.append(latents.numpy())
    return seen


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_lcm_steps_as_diffusers_does(steps: int) -> None:
    diffusers = pytest.importorskip("diffusers")
    theirs = diffusers.LCMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    ours = denoised(LCMScheduler(NoiseSchedule()), steps, TorchNoise(5))
    np.testing.assert_allclose(ours, by_diffusers(theirs, steps, 5), atol=2e-4)


@pytest.mark.parametrize("steps", [4, 6, 7, 30])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_ddim_steps_as_diffusers_does(steps: int, prediction: Any) -> None:
    diffusers = pytest.importorskip("diffusers")
    rescaled = prediction == "v_prediction"
    theirs = diffusers.DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        prediction_type=prediction,
        rescale_betas_zero_snr=rescaled,
        timestep_spacing="trailing",
    )
    schedule = NoiseSchedule(prediction=prediction, rescale_zero_snr=rescaled)
    ours = denoised(DDIMScheduler(schedule), steps, TorchNoise(5))
    np.testing.assert_allclose(ours, by_diffusers(theirs, steps, 5), atol=2e-4)
