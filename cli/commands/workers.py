"""`easel workers`: who is on the bus."""

from __future__ import annotations

from typing import Any

from cli.client.api import Api
from cli.options import DEFAULT_URL, AsJson, Url
from cli.output import result_json, result_table


def workers(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List the live workers, their devices and models."""
    with Api(url) as api:
        listed = api.get("/workers")
    if as_json:
        result_json(listed)
        return
    rows = [[_text(w, "id"), _text(w, "service"), _text(w, "device"), _slots(w), _models(w)] for w in listed["workers"]]
    result_table(["id", "service", "device", "free", "models"], rows)


def _text(worker: dict[str, Any], field: str) -> str:
    return str(worker.get(field) or "")


def _slots(worker: dict[str, Any]) -> str:
    return f"{worker.get('free_slots', '?')}/{worker.get('slots', '?')}"


def _models(worker: dict[str, Any]) -> str:
    return ",".join(model["id"] if isinstance(model, dict) else str(model) for model in worker.get("models", []))
