"""One job from the client's side: follow it to its end, cancel it, fetch its pictures."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cli.client import terminal_picture
from cli.client.api import Api
from cli.client.events import follow
from cli.client.pictures import Destination, Picture
from cli.client.progress import JobProgress
from cli.faults import CliError, ExitCode
from cli.output import result, result_json, say

CANCEL_S = 5.0
_PARAMETERS = (
    "job_id",
    "model",
    "prompt",
    "negative_prompt",
    "num_inference_steps",
    "guidance_scale",
    "loras",
    "created_at",
    "started_at",
    "finished_at",
)


@contextmanager
def submitted(api: Api, path: str, request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Submit a job: its id, and what the gateway warns of. Ctrl-C from here to the block's end cancels it."""
    with _interrupts_held() as held:
        answer, warning = api.post(path, request)
    with cancelled_on_interrupt(api, answer["job_id"]):
        if held:
            raise KeyboardInterrupt
        yield answer["job_id"], warning


@contextmanager
def _interrupts_held() -> Iterator[list[int]]:
    """The first Ctrl-C or SIGTERM inside the block is only noted, a second one ends it.

    The server may have the job before this side knows its id, without which it cannot cancel it.
    """
    held: list[int] = []

    def hold(number: int, _frame: object) -> None:
        if held:
            raise KeyboardInterrupt
        held.append(number)

    before = {number: signal.signal(number, hold) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield held
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def cancelled_on_interrupt(api: Api, job_id: str) -> Iterator[None]:
    """Ctrl-C or SIGTERM inside the block cancels the job on the server before the command ends."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not lose the cancellation on its way
        cancel(api, job_id)
        raise CliError(ExitCode.CANCELLED, f"cancelled job {job_id}") from None
    except CliError as fault:
        if fault.code is not ExitCode.CANCELLED:
            raise
        cancel(api, job_id)  # the interrupt fell into a block inside this one, for another job
        raise CliError(ExitCode.CANCELLED, f"{fault.message}, {job_id}") from None
    finally:
        signal.signal(signal.SIGTERM, before)


def cancel(api: Api, job_id: str) -> Any:
    """Ask the server to stop the job; its answer."""
    try:
        return api.delete(f"/job/{job_id}", timeout_s=CANCEL_S)
    except CliError as fault:
        raise CliError(fault.code, f"job {job_id} is not cancelled: {fault.message}") from fault


def follow_to_end(api: Api, job_id: str, *, as_json: bool) -> dict[str, Any]:
    """How the job ended, when it succeeded; progress goes to stderr meanwhile.

    Raises:
        CliError: the job failed or was cancelled (then `--json` has printed its outcome), or the gateway is lost.
    """
    with JobProgress() as progress:
        outcome = follow(api, job_id, progress.on_event)
    state = outcome.get("state")
    if state == "succeeded":
        return outcome
    if as_json:
        result_json(outcome_json(job_id, outcome, []))
    reason = _error_text(outcome.get("error"))
    if state == "cancelled":
        raise CliError(ExitCode.JOB_FAILED, f"job {job_id} was cancelled")
    raise CliError(ExitCode.JOB_FAILED, f"job {job_id} failed: {reason}")


def save_pictures(
    api: Api, job_id: str, outcome: dict[str, Any], destination: Destination, *, as_json: bool, show: bool = False
) -> None:
    """Fetch the pictures and put them where the user asked; their paths are the result. `show` shows them too."""
    saved: list[dict[str, Any]] = []
    drawn = _parameters(api, job_id) if destination.metadata else {}
    for image in outcome["images"]:
        data, content_type = api.get_bytes(f"/job/{job_id}/image", index=image["index"])
        destination.check(content_type)
        facts = {name: image[name] for name in ("index", "seed", "width", "height")}
        path = destination.save(Picture(data, **facts), drawn)
        saved.append({"path": path, **facts})
        if show:
            terminal_picture.show(data)
    if as_json:
        result_json(outcome_json(job_id, outcome, saved))
        return
    for picture_saved in saved:
        if picture_saved["path"]:
            result(picture_saved["path"])
            if sys.stderr.isatty():
                say(f"seed {picture_saved['seed']}, {picture_saved['width']}x{picture_saved['height']}")


def outcome_json(job_id: str, outcome: dict[str, Any], saved: list[dict[str, Any]]) -> dict[str, Any]:
    """What `--json` prints when a job ended; the fields stay the same however it did."""
    error = outcome.get("error")
    return {
        "job_id": job_id,
        "state": outcome.get("state"),
        "images": saved,
        "error": None if error is None else _error_text(error),
        "error_code": (error.get("code") if isinstance(error, dict) else outcome.get("code")),
    }


def _parameters(api: Api, job_id: str) -> dict[str, Any]:
    """What the job was drawn with, defaults of the model included: enough to draw it again."""
    job = api.get(f"/job/{job_id}")
    return {name: job[name] for name in _PARAMETERS if name in job}


def _error_text(error: Any) -> str:
    if isinstance(error, dict):
        error = error.get("message")
    return str(error or "no reason was given")
