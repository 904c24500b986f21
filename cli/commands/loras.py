"""`easel loras`: what `--lora` may name."""

from __future__ import annotations

from cli.client.api import Api
from cli.options import DEFAULT_URL, AsJson, Url
from cli.output import result_json, result_table


def loras(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List the LoRAs on offer, and the models that each fits."""
    with Api(url) as api:
        listed = api.get("/v1/models")["data"]
    fits: dict[str, list[str]] = {}
    for model in listed:
        for name in model.get("loras", []):
            fits.setdefault(name, []).append(model["id"])
    if as_json:
        result_json({"loras": [{"name": name, "models": fits[name]} for name in sorted(fits)]})
        return
    result_table(["lora", "models"], [[name, ",".join(fits[name])] for name in sorted(fits)])
