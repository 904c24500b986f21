"""`easel status`: is the gateway there, and can it draw."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from cli.client.api import Api
from cli.faults import CliError, ExitCode
from cli.options import DEFAULT_URL, AsJson, Url
from cli.output import result, result_json


def status(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Say whether the gateway is ready; exit code 3 when it is not."""
    with Api(url) as api:
        ready_status, readiness = api.probe("/readyz")
        _, health = api.probe("/health")
    ready = ready_status == HTTPStatus.OK
    if as_json:
        result_json({"url": api.url, "ready": ready, "readiness": readiness, "health": health})
    else:
        result(f"{api.url} {'is ready' if ready else 'is not ready'}")
        for name, value in {**_facts(readiness), **_facts(health)}.items():
            result(f"  {name}: {value}")
    if not ready:
        message = f"{api.url} answers but cannot draw yet; 'easel workers' lists its workers"
        raise CliError(ExitCode.UNREACHABLE, message)


def _facts(answer: Any) -> dict[str, Any]:
    """The plain fields of a health answer; whether it is ready has been said."""
    if not isinstance(answer, dict):
        return {}
    return {name: value for name, value in answer.items() if name != "status" and not isinstance(value, (dict, list))}
