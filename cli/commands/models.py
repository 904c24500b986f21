"""`easel models`: what can be drawn with now, and adding to it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client.api import Api
from cli.client.events import Event, parse
from cli.client.progress import waiting
from cli.faults import CliError, ExitCode
from cli.options import DEFAULT_URL, AsJson, Url, refuse_options_before
from cli.output import result, result_json, say

app = typer.Typer(help="List the models on offer; add your own; load and unload.", rich_markup_mode=None)

Worker = Annotated[str, typer.Option("--worker", metavar="ID", help="As easel workers lists it; any if absent.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="As easel models lists it.")]


@app.callback(invoke_without_command=True)
def models(context: typer.Context, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """List the models that live workers offer."""
    if context.invoked_subcommand is not None:
        refuse_options_before(context)
        return
    with Api(url) as api:
        listed = api.get("/v1/models")
    if as_json:
        result_json(listed)
        return
    for model in listed["data"]:
        result(model["id"])


@app.command("load")
def load(
    model: Model,
    worker: Worker = "",
    device: Annotated[
        str, typer.Option("--device", help="Where: cpu, cuda:1, gpu; where the worker is if absent.")
    ] = "",
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Bring a model into a worker's memory.

    The first picture then need not wait for it.
    """
    body = {"model": model, "worker": worker, "device": device, "stream": True}
    with Api(url) as api, api.post_stream("/models/load", body) as chunks, waiting(f"loading {model}") as say_stage:
        loaded = _loaded(parse(chunks), say_stage)
    _report(loaded, as_json=as_json)


def _loaded(events: Iterator[Event], say_stage: Callable[[str], None]) -> dict[str, Any]:
    for event in events:
        data: dict[str, Any] = json.loads(event.data)
        if event.name == "stage":
            say_stage(data["stage"])
        elif event.name == "error":
            raise CliError(ExitCode.REJECTED, data["message"])
        else:
            return data
    raise CliError(
        ExitCode.UNREACHABLE, "the gateway ended before the model was loaded; easel workers shows where it is"
    )


@app.command("unload")
def unload(model: Model, worker: Worker = "", url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Take a model out of the memory of the workers that have it."""
    with Api(url) as api:
        unloaded, _ = api.post("/models/unload", {"model": model, "worker": worker})
    _report(unloaded, as_json=as_json)


def _report(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        result_json(done)
        return
    for worker in done["workers"]:
        result(worker)


@app.command("add")
def add(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A folder in diffusers format, a .safetensors file, or a hub id.")
    ],
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
    config: Annotated[
        str, typer.Option("--config", metavar="FOLDER", help="Architecture of a single file, in diffusers format.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Fetch a model and write it into the file of your own models."""
    from contracts.errors import EaselError
    from services.diffusion.own_models import add_model

    try:
        added = add_model(file, source, name, revision, variant, config=config).info
    except EaselError as fault:
        raise CliError(ExitCode.REJECTED, fault.message) from fault
    except OSError as fault:
        raise CliError(ExitCode.REJECTED, f"the models file {file} cannot be written: {fault}") from fault
    if as_json:
        result_json({"id": added.id, "family": added.family, "source": added.source, "models_file": str(file)})
        return
    result(added.id)
    say(f"{added.id} ({added.family}) is in {file}: EASEL_DIFFUSION_MODELS_FILE={file} easel up --model {added.id}")
