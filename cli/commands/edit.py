"""`easel edit`: draw from a picture, all of it or where a mask says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client.pictures import Destination
from cli.client.seeds import parse_seeds
from cli.client.start_picture import read_picture
from cli.commands.generate import carry_out, refuse_two_results, shows, wanted
from cli.faults import CliError, ExitCode
from cli.options import (
    DEFAULT_URL,
    AsJson,
    Cache,
    Deterministic,
    Guidance,
    Loras,
    Model,
    NegativePrompt,
    NoWait,
    NumImages,
    Output,
    SaveMetadata,
    Seeds,
    Show,
    Steps,
    Strength,
    Url,
)

_JOB_ID = re.compile(r"[0-9a-f]{32}")


def edit(  # noqa: PLR0917 - typer passes by name; the list is the command line
    picture: Annotated[str, typer.Argument(metavar="PICTURE", help="A file, or the id of a job that drew one.")],
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What it should show.")],
    output: Output = "",
    mask: Annotated[
        Path | None, typer.Option("--mask", metavar="FILE", help="Where to paint: transparent, else white pixels.")
    ] = None,
    strength: Strength = None,
    index: Annotated[int, typer.Option("--index", metavar="N", min=0, help="Which picture of the job.")] = 0,
    steps: Steps = None,
    guidance_scale: Guidance = None,
    negative_prompt: NegativePrompt = None,
    seed: Seeds = "",
    deterministic: Deterministic = False,
    cache: Cache = None,
    num_images: NumImages = 1,
    model: Model = None,
    lora: Loras = None,
    save_metadata: SaveMetadata = False,
    show: Show = True,
    no_wait: NoWait = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Draw PROMPT from PICTURE and print the paths of the files.

    Ctrl-C cancels the jobs that have not ended.

    \b
        easel edit fox.png "a fox with a hat" -o hat.png
        easel edit fox.png "a blue hat" --mask hat-mask.png
        easel edit 5f0c…e1 "the same at night" --strength 0.5
    """  # noqa: D301 - the backspace keeps typer from joining the lines
    from cli.client.drawing import Drawing

    if not prompt.strip():
        raise CliError(ExitCode.USAGE, "the prompt is empty; say what the picture should show")
    seeds = parse_seeds(seed)
    destination = Destination(output, prompt, num_images * len(seeds), metadata=save_metadata)
    refuse_two_results(destination, as_json=as_json)
    path, start = _start(picture, index)
    asked = wanted(
        prompt=prompt,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        negative_prompt=negative_prompt,
        deterministic=deterministic or None,
        cache=cache,
        num_images=num_images if num_images > 1 else None,
        model=model,
        mask_image=read_picture(mask, "--mask") if mask else None,
        loras=lora or None,
        strength=strength,
        output_format=destination.output_format,
    )
    drawings = [Drawing(wanted(**asked, **start, seed=one), destination, path) for one in seeds]
    carry_out(url, drawings, no_wait=no_wait, as_json=as_json, show=shows(show, [destination], as_json=as_json))


def _start(picture: str, index: int) -> tuple[str, dict[str, Any]]:
    """The route for the picture, and the fields that name it."""
    if _JOB_ID.fullmatch(picture) and not Path(picture).exists():
        return f"/job/{picture}/edit", {"index": index}
    if index:
        raise CliError(ExitCode.USAGE, "--index counts the pictures of a job; a file has one")
    return "/generate/async", {"init_image": read_picture(Path(picture), "PICTURE")}
