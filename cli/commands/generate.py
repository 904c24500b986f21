"""`easel generate`: submit, show progress, save the pictures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.client.pictures import Destination, destinations
from cli.client.seeds import parse_seeds
from cli.client.start_picture import read_picture
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

if TYPE_CHECKING:
    from cli.client.drawing import Drawing

_SIDE = {"min": 1, "metavar": "PIXELS", "help": "As the model allows; its own if absent."}


def generate(  # noqa: PLR0917 - typer passes by name; the list is the command line
    prompts: Annotated[
        list[str], typer.Argument(metavar="PROMPT...", help="What to draw, one job each; '-' reads one from stdin.")
    ],
    output: Output = "",
    width: Annotated[int | None, typer.Option("--width", **_SIDE)] = None,
    height: Annotated[int | None, typer.Option("--height", **_SIDE)] = None,
    steps: Steps = None,
    guidance_scale: Guidance = None,
    negative_prompt: NegativePrompt = None,
    seed: Seeds = "",
    deterministic: Deterministic = False,
    cache: Cache = None,
    num_images: NumImages = 1,
    model: Model = None,
    lora: Loras = None,
    init_image: Annotated[
        Path | None, typer.Option("--init-image", metavar="FILE", help="Picture to start from.")
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            "--mask", metavar="FILE", help="Where to paint over --init-image: transparent, else white pixels."
        ),
    ] = None,
    strength: Strength = None,
    enhance: Annotated[
        bool, typer.Option("--enhance", help="Draw a better prompt, which a language model makes of it.")
    ] = False,
    style: Annotated[
        str | None, typer.Option("--style", metavar="WORDS", help="How it should look; with --enhance.")
    ] = None,
    save_metadata: SaveMetadata = False,
    show: Show = True,
    no_wait: NoWait = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Draw pictures of each PROMPT and print the paths of their files.

    Several prompts or seeds make several jobs; Ctrl-C cancels those that have not ended.

    \b
        easel generate "a red fox in the snow" -o fox.png
        easel generate "a boat" "a barn" --seed 1-4 -o pictures/
        easel generate "a cat on a windowsill" --enhance --style watercolour
        easel generate "a lighthouse" --lora ink --lora fog:0.6
        easel generate "the same, at night" --init-image boat.png --strength 0.6
    """  # noqa: D301 - the backspace keeps typer from joining the lines
    from cli.client.drawing import Drawing

    _check_companions(start=init_image, mask=mask, strength=strength, enhance=enhance, style=style)
    texts = [_prompt(text) for text in prompts]
    seeds = parse_seeds(seed)
    where = destinations(output, texts, num_images * len(seeds), metadata=save_metadata)
    refuse_two_results(where[0], as_json=as_json)
    asked = wanted(
        width=width,
        height=height,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        negative_prompt=negative_prompt,
        deterministic=deterministic or None,
        cache=cache,
        num_images=num_images if num_images > 1 else None,
        model=model,
        init_image=read_picture(init_image, "--init-image") if init_image else None,
        mask_image=read_picture(mask, "--mask") if mask else None,
        loras=lora or None,
        strength=strength,
        use_enhancer=enhance or None,
        style=style,
        output_format=where[0].output_format,
    )
    drawings = [
        Drawing(wanted(prompt=text, **asked, seed=one), destination)
        for text, destination in zip(texts, where, strict=True)
        for one in seeds
    ]
    carry_out(url, drawings, no_wait=no_wait, as_json=as_json, show=shows(show, where, as_json=as_json))


def _check_companions(
    *, start: Path | None, mask: Path | None, strength: float | None, enhance: bool, style: str | None
) -> None:
    """Refuse options without the one that they belong to."""
    if start is None and (mask is not None or strength is not None):
        raise CliError(ExitCode.USAGE, "--mask and --strength say what to do with --init-image FILE; name one")
    if style is not None and not enhance:
        raise CliError(ExitCode.USAGE, "--style says what --enhance should make of the prompt; give both")


def carry_out(url: str, drawings: Sequence[Drawing], *, no_wait: bool, as_json: bool, show: bool) -> None:
    """Submit them, and unless nobody waits, save what comes of them.

    Raises:
        CliError: the first failure, when all have ended.
    """
    from cli.client.api import Api
    from cli.client.drawing import draw, leave

    with Api(url) as api:
        if no_wait:
            leave(api, drawings, as_json=as_json)
        else:
            draw(api, drawings, as_json=as_json, show=show)


def wanted(**fields: Any) -> dict[str, Any]:
    """The fields that were given: the rest is the server's choice."""
    return {name: value for name, value in fields.items() if value is not None}


def refuse_two_results(destination: Destination, *, as_json: bool) -> None:
    """Refuse to write both a picture and JSON to stdout.

    Raises:
        CliError: both want it.
    """
    if destination.to_stdout and as_json:
        raise CliError(ExitCode.USAGE, "-o - and --json both want stdout; choose one")


def shows(wished: bool, where: Sequence[Destination], *, as_json: bool) -> bool:
    """Whether pictures are shown in the terminal: where it can, unless that was refused."""
    from cli.client.terminal_picture import can_show

    return wished and not as_json and not where[0].to_stdout and can_show()


def _prompt(given: str) -> str:
    prompt = sys.stdin.read() if given == "-" else given
    if not prompt.strip():
        raise CliError(ExitCode.USAGE, "the prompt is empty; say what to draw")
    return prompt
