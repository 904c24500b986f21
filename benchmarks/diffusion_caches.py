"""Step caches: how much sooner a picture is there, and how far it is from the one drawn without."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import msgspec
import numpy as np
from PIL import Image

from benchmarks.diffusion_together import loaded_model, look_away
from benchmarks.figures import median, table
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.sample import plain_request

CACHES = {"deepcache": ("deepcache:2", "deepcache:3", "deepcache:5")}
"""Beside a model's usual setting."""


@dataclass
class _Seen:
    seconds: list[float] = field(default_factory=list)
    decibels: list[float] = field(default_factory=list)


def caches(engine: DiffusersEngine, rounds: int, steps: int) -> str:
    """A picture without and with each cache in every round, `steps` steps each, another seed each round."""
    plain = msgspec.structs.replace(plain_request(loaded_model(engine).model), num_inference_steps=steps)
    usual = engine.models[0].caches
    asked = [it for name in usual for it in CACHES.get(name.partition(":")[0], (name,))]
    seen = {cache: _Seen() for cache in ("", *asked)}
    for turn in range(rounds + 1):
        for cache, own in seen.items():
            began = time.perf_counter()
            (picture,) = engine.generate(msgspec.structs.replace(plain, seed=turn, cache=cache), look_away)
            if cache == "":
                exact = picture
            if turn:  # the first warms up
                own.seconds.append(time.perf_counter() - began)
                own.decibels.append(psnr(exact, picture))
    rows = [_row(cache, own, seen[""].seconds) for cache, own in seen.items()]
    return table([f"step cache, {steps} steps", "least s", "times without (median)", "PSNR, dB (median)"], rows)


def _row(cache: str, own: _Seen, without: list[float]) -> list[str]:
    gain = median([plain / cached for plain, cached in zip(without, own.seconds, strict=True)])
    loss = f"{median(own.decibels):.1f}" if cache else "the same"
    return [cache or "none", f"{min(own.seconds):.3f}", f"{gain:.2f}", loss]


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Peak signal-to-noise ratio of 8-bit pictures; infinite for equal ones."""
    error = np.mean((np.asarray(one, dtype=float) - np.asarray(other, dtype=float)) ** 2)
    return 10 * math.log10(255**2 / error) if error else math.inf
