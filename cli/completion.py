"""What the shell may complete from the gateway; silence where none answers in time."""

from __future__ import annotations

import os
from typing import Any

PATIENCE_S = 0.7
"""A person waits with a finger on the tab key."""


def complete_model(incomplete: str) -> list[str]:
    """Ids of the models on offer."""
    listed = _ask("/v1/models").get("data", [])
    return [model["id"] for model in listed if model["id"].startswith(incomplete)]


def complete_lora(incomplete: str) -> list[str]:
    """Names of the LoRAs of all models on offer."""
    names = {name for model in _ask("/v1/models").get("data", []) for name in model.get("loras", [])}
    return sorted(name for name in names if name.startswith(incomplete))


def complete_job(incomplete: str) -> list[tuple[str, str]]:
    """Ids of the newest jobs, each with its state and prompt."""
    listed = _ask("/jobs").get("jobs", [])
    return [
        (job["job_id"], f"{job['status']}: {job['prompt']}") for job in listed if job["job_id"].startswith(incomplete)
    ]


def _ask(path: str) -> dict[str, Any]:
    import httpx

    key = os.environ.get("EASEL_API_KEY", "")
    url = os.environ.get("EASEL_URL", "http://127.0.0.1:8000").rstrip("/")
    try:
        answer = httpx.get(
            url + path, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=PATIENCE_S, trust_env=False
        )
        found: dict[str, Any] = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
