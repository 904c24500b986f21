"""Several requests from the client's side: queue some ahead, follow each in turn, save what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from cli.client.api import Api
from cli.client.job import follow_to_end, save_pictures, submitted
from cli.client.pictures import Destination
from cli.faults import CliError, ExitCode
from cli.output import result, result_json, say

QUEUED_AHEAD = 8
"""Jobs on the bus at once: enough for all workers of a small installation, few enough for its queue."""


class Drawing(NamedTuple):
    """One request, the route that takes it, and where its pictures go."""

    request: dict[str, Any]
    destination: Destination
    path: str = "/generate/async"


def leave(api: Api, drawings: Sequence[Drawing], *, as_json: bool) -> None:
    """Submit them and print their jobs' ids."""
    for drawing in drawings:
        answer, warning = api.post(drawing.path, drawing.request)
        _note(warning)
        result_json({"job_id": answer["job_id"]}) if as_json else result(answer["job_id"])


def draw(api: Api, drawings: Sequence[Drawing], *, as_json: bool, show: bool = False) -> None:
    """Draw them and save the pictures. Ctrl-C cancels what is on the bus; a job that failed does not stop the others.

    Raises:
        CliError: the first failure, when all have ended.
    """
    faults: list[CliError] = []
    for begin in range(0, len(drawings), QUEUED_AHEAD):
        _draw_batch(api, drawings[begin : begin + QUEUED_AHEAD], faults, as_json=as_json, show=show)
    if faults:
        raise faults[0]


def _draw_batch(api: Api, batch: Sequence[Drawing], faults: list[CliError], *, as_json: bool, show: bool) -> None:
    with ExitStack() as stack:
        begun: list[tuple[str, Destination]] = []
        for drawing in batch:
            job_id, warning = stack.enter_context(submitted(api, drawing.path, drawing.request))
            _note(warning)
            begun.append((job_id, drawing.destination))
        for job_id, destination in begun:
            try:
                outcome = follow_to_end(api, job_id, as_json=as_json)
                save_pictures(api, job_id, outcome, destination, as_json=as_json, show=show)
            except CliError as fault:
                if fault.code is not ExitCode.JOB_FAILED or len(begun) == 1:
                    raise
                faults.append(fault)
                say(f"easel: {fault.message}")


def _note(warning: str) -> None:
    if warning:
        say(f"easel: note: {warning}")
