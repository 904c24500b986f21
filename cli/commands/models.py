"""`easel models`: what can be drawn with now, and adding to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.client.api import Api
from cli.faults import CliError, ExitCode
from cli.options import DEFAULT_URL, AsJson, Url
from cli.output import result, result_json, say

app = typer.Typer(help="List the models on offer; add your own.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def models(context: typer.Context, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List the models that live workers offer."""
    if context.invoked_subcommand is not None:
        return
    with Api(url) as api:
        listed = api.get("/v1/models")
    if as_json:
        result_json(listed)
        return
    for model in listed["data"]:
        result(model["id"])


@app.command("add")
def add(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A folder in diffusers format, or a hub id.")],
    file: Annotated[
        Path,
        typer.Option(
            "--models-file", metavar="FILE", envvar="EASEL_DIFFUSION_MODELS_FILE", help="Your models; made if absent."
        ),
    ],
    *,
    name: Annotated[str, typer.Option("--name", help="What to call it; the source's own name if absent.")] = "",
    revision: Annotated[str, typer.Option("--revision", help="Branch, tag or commit on the hub.")] = "",
    variant: Annotated[str, typer.Option("--variant", help="Set of weights on the hub, such as fp16.")] = "",
    as_json: AsJson = False,
) -> None:
    """Fetch a model and write it into the file of your own models."""
    from contracts.errors import EaselError
    from services.diffusion.own_models import add_model

    try:
        added = add_model(file, source, name, revision, variant).info
    except EaselError as fault:
        raise CliError(ExitCode.REJECTED, fault.message) from fault
    except OSError as fault:
        raise CliError(ExitCode.REJECTED, f"the models file {file} cannot be written: {fault}") from fault
    if as_json:
        result_json({"id": added.id, "family": added.family, "source": added.source, "models_file": str(file)})
        return
    result(added.id)
    say(f"{added.id} ({added.family}) is in {file}: EASEL_DIFFUSION_MODELS_FILE={file} easel up --model {added.id}")
