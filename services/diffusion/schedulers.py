"""Schedulers by the names that users know from picture tools, and which of them suit a model.

The names are those of AUTOMATIC1111's web UI, the classes diffusers'
(https://huggingface.co/docs/diffusers/api/schedulers/overview has the table).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Scheduler(msgspec.Struct, frozen=True):
    """One name: a class of diffusers and what to change in the model's own configuration."""

    kind: str
    config: dict[str, Any] = {}
    zero_snr: bool = False
    """Whether it takes a model whose noise ends at a signal of zero; others would draw on from a wrong schedule."""


_DPM = "DPMSolverMultistepScheduler"
_SDE = {"algorithm_type": "sde-dpmsolver++"}
_UNCLIPPED = {"clip_sample": False}
"""Latents leave -1 … 1; a configuration of another class does not say that they may."""

NOISE = {
    "Euler a": Scheduler("EulerAncestralDiscreteScheduler", zero_snr=True),
    "Euler": Scheduler("EulerDiscreteScheduler", {"use_karras_sigmas": False}, zero_snr=True),
    "DPM++ 2M": Scheduler(_DPM, {"use_karras_sigmas": False}, zero_snr=True),
    "DPM++ 2M Karras": Scheduler(_DPM, {"use_karras_sigmas": True}),
    "DPM++ 2M SDE": Scheduler(_DPM, {"use_karras_sigmas": False, **_SDE}),
    "DPM++ 2M SDE Karras": Scheduler(_DPM, {"use_karras_sigmas": True, **_SDE}),
    "UniPC": Scheduler("UniPCMultistepScheduler", {"use_karras_sigmas": False}, zero_snr=True),
    "DDIM": Scheduler("DDIMScheduler", _UNCLIPPED, zero_snr=True),
    "DDPM": Scheduler("DDPMScheduler", _UNCLIPPED),
    "Heun": Scheduler("HeunDiscreteScheduler", {"use_karras_sigmas": False}),
    "PLMS": Scheduler("PNDMScheduler", {"skip_prk_steps": True}),
}
"""For models that were trained to predict noise or velocity over a thousand timesteps."""
CONSISTENCY = {"LCM": Scheduler("LCMScheduler")}
FLOW = {"Euler": Scheduler("FlowMatchEulerDiscreteScheduler")}
"""Flow matching draws straight lines, which Euler's method follows as well as any."""

by_name = {**FLOW, **CONSISTENCY, **NOISE}


def own_name(config: Mapping[str, Any]) -> str:
    """The name of a scheduler_config.json; its class where users have none for it."""
    kind = str(config.get("_class_name", ""))
    karras, sde = bool(config.get("use_karras_sigmas")), "sde" in str(config.get("algorithm_type"))
    for table in (NOISE, CONSISTENCY, FLOW):
        for name, scheduler in table.items():
            if (scheduler.kind, "Karras" in name, "SDE" in name) == (kind, karras, sde):
                return name
    return kind.removesuffix("Scheduler")


def offered(table: Mapping[str, Scheduler], own: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """What a model with the scheduler `own` takes, that one first. `config` is empty where nothing is known of it."""
    zero_snr = bool(config.get("rescale_betas_zero_snr"))
    others = (name for name, scheduler in table.items() if name != own and (scheduler.zero_snr or not zero_snr))
    return (own, *others)
