"""Requests and jobs with every field filled in, for tests to change what they are about."""

from __future__ import annotations

import time
from typing import Any

from contracts.images import GenerateImage
from contracts.jobs import Job, new_job_id


def generate_image(**changes: Any) -> GenerateImage:
    """A 64x64 picture in 4 steps on the fake model."""
    fields: dict[str, Any] = {
        "model": "fake",
        "prompt": "a red fox in the snow",
        "width": 64,
        "height": 64,
        "num_inference_steps": 4,
        "guidance_scale": 7.5,
        "seed": 7,
    }
    return GenerateImage(**(fields | changes))


def job(*, pool: str = "fake", job_id: str = "", **request: Any) -> Job:
    """A job of one stage."""
    return Job(id=job_id or new_job_id(), stages=(generate_image(**request),), pool=pool, created_at=time.time())
