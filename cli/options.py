"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.completion import complete_lora, complete_model
from cli.faults import CliError, ExitCode

DEFAULT_URL = "http://127.0.0.1:8000"

Url = Annotated[
    str, typer.Option("--url", envvar="EASEL_URL", metavar="URL", help="Where the gateway is.", show_default=True)
]
Output = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="File (.png, .jpg, .webp) or folder; '-' is stdout. Named after the prompt if absent.",
    ),
]
Steps = Annotated[int | None, typer.Option("--steps", metavar="N", min=1, help="Denoising steps.")]
Guidance = Annotated[
    float | None, typer.Option("--guidance-scale", metavar="NUMBER", min=0, help="How closely to follow the prompt.")
]
NegativePrompt = Annotated[str | None, typer.Option("--negative-prompt", metavar="WORDS", help="What to avoid.")]
Seeds = Annotated[
    str,
    typer.Option("--seed", metavar="SEEDS", help="For the same picture again: 7, 1,4,9 or 20-24; -1 for any."),
]
Deterministic = Annotated[
    bool, typer.Option("--deterministic", help="Draw apart from others, to repeat it bit for bit on the same worker.")
]
Cache = Annotated[
    str | None,
    typer.Option(
        "--cache", metavar="NAME[:N]", help="Reuse work between steps: faster, with some loss; deepcache:3, none."
    ),
]
NumImages = Annotated[int, typer.Option("-n", "--num-images", metavar="N", min=1, max=10, help="Pictures of each.")]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="MODEL", help="As listed by 'easel models'.", autocompletion=complete_model),
]
Loras = Annotated[
    list[str] | None,
    typer.Option(
        "--lora",
        metavar="NAME[:WEIGHT]",
        help="As listed by 'easel loras'; may be given several times.",
        autocompletion=complete_lora,
    ),
]
Strength = Annotated[
    float | None,
    typer.Option("--strength", metavar="SHARE", min=0, max=1, help="How far to go from the picture it starts from."),
]
SaveMetadata = Annotated[bool, typer.Option("--save-metadata", help="Write a .json file beside each picture.")]
Show = Annotated[bool, typer.Option("--show/--no-show", help="Show pictures in a terminal that can.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Print the jobs' ids and leave them to run.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; its fields stay the same.")]

CLIENT_VARIABLES = frozenset({"EASEL_URL", "EASEL_API_KEY", "EASEL_CA", "EASEL_TRACEBACK"})
"""What this command reads besides the settings of the processes that it starts."""


def refuse_options_before(context: typer.Context) -> None:
    """Each subcommand has its own; one given to its group must not be passed over in silence."""
    for name, flag in (("url", "--url"), ("as_json", "--json")):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise CliError(ExitCode.USAGE, f"write {flag} after '{context.invoked_subcommand}'")
