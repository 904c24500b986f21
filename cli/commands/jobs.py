"""`easel jobs`: list, watch, cancel, retry."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.client.api import Api
from cli.client.job import cancel as cancel_job
from cli.client.job import follow_to_end, outcome_json, save_pictures
from cli.client.pictures import Destination
from cli.commands.generate import refuse_two_results, shows
from cli.completion import complete_job
from cli.faults import CliError, ExitCode
from cli.options import DEFAULT_URL, AsJson, NoWait, Output, Show, Url, refuse_options_before
from cli.output import result, result_json, result_table

app = typer.Typer(help="List jobs; watch, cancel or retry one.", invoke_without_command=True, rich_markup_mode=None)

PROMPT_CHARACTERS = 60
JobId = Annotated[str, typer.Argument(metavar="ID", help="As 'easel jobs' lists it.", autocompletion=complete_job)]


@app.callback()
def jobs(context: typer.Context, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List jobs; watch, cancel or retry one."""
    if context.invoked_subcommand is not None:
        refuse_options_before(context)
        return
    with Api(url) as api:
        listed = api.get("/jobs")
    if as_json:
        result_json(listed)
        return
    result_table(["id", "state", "steps", "model", "prompt"], [_row(job) for job in listed["jobs"]])


@app.command("watch")
def watch(
    job_id: JobId,
    output: Annotated[str, typer.Option("-o", "--output", metavar="FILE", help="Save the pictures too.")] = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Show a job's progress until it ends.

    Ctrl-C stops watching, not the job.
    """
    with Api(url) as api:
        outcome = follow_to_end(api, job_id, as_json=as_json)
        if output:
            destination = Destination(output, job_id, len(outcome["images"]), metadata=False)
            save_pictures(api, job_id, outcome, destination, as_json=as_json)
        elif as_json:
            result_json(outcome_json(job_id, outcome, []))
        else:
            result(outcome["state"])


@app.command("cancel")
def cancel(job_id: JobId, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Stop a job, whether it waits or runs."""
    with Api(url) as api:
        answer = cancel_job(api, job_id)
    if as_json:
        result_json(answer)
    if answer["status"] != "cancelled":
        raise CliError(ExitCode.REJECTED, f"job {job_id} had ended before: it is {answer['status']}")
    if not as_json:
        result(f"cancelled {job_id}")


@app.command("retry")
def retry(  # noqa: PLR0917 - typer passes by name; the list is the command line
    job_id: JobId,
    output: Output = "",
    show: Show = True,
    no_wait: NoWait = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Draw a job again as it was asked for, with a new seed.

    Ctrl-C cancels it.
    """
    from cli.client.drawing import Drawing, draw, leave

    with Api(url) as api:
        job = api.get(f"/job/{job_id}")
        destination = Destination(output, job["prompt"], job["num_images"], metadata=False)
        refuse_two_results(destination, as_json=as_json)
        drawings = [Drawing({}, destination, f"/job/{job_id}/retry")]
        if no_wait:
            leave(api, drawings, as_json=as_json)
        else:
            draw(api, drawings, as_json=as_json, show=shows(show, [destination], as_json=as_json))


def _text(job: dict[str, Any], field: str) -> str:
    return str(job.get(field) or "")


def _row(job: dict[str, Any]) -> list[str]:
    prompt = _text(job, "prompt")[:PROMPT_CHARACTERS]
    return [job["job_id"], _text(job, "status"), _steps(job), _text(job, "model"), prompt]


def _steps(job: dict[str, Any]) -> str:
    return f"{job['step']}/{job['total_steps']}" if job.get("total_steps") else ""
