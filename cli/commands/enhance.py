"""`easel enhance`: a better prompt, and no picture."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from cli.faults import CliError, ExitCode
from cli.options import DEFAULT_URL, AsJson, Model, Url
from cli.output import colour_allowed, result, result_json, say

_MARKS = {"keep": "", "add": "\x1b[32m", "remove": "\x1b[31;9m"}
_PLAIN = "\x1b[0m"


def enhance(  # noqa: PLR0917 - typer passes by name; the list is the command line
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What to draw; '-' reads it from stdin.")],
    style: Annotated[
        str | None, typer.Option("--style", metavar="WORDS", help="How it should look, in your own words.")
    ] = None,
    model: Model = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what changes: {+added+} and [-removed-].")] = False,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Print a better PROMPT that says all of what yours does.

    Nothing is drawn.

    \b
        easel enhance "a cat on a windowsill"
        easel generate "$(easel enhance "a cat on a windowsill" --style "oil painting")"
    """  # noqa: D301 - the backspace keeps typer from joining the lines
    from cli.client.api import Api

    text = sys.stdin.read().strip() if prompt == "-" else prompt
    if not text.strip():
        raise CliError(ExitCode.USAGE, "the prompt is empty; say what to draw")
    asked = {"prompt": text, "style": style, "model": model, "dry_run": True}
    with Api(url) as api:
        answer, _ = api.post("/v1/prompts/enhance", {name: value for name, value in asked.items() if value is not None})
    if as_json:
        result_json(answer)
        return
    result(_marked(answer["changes"]) if diff else answer["enhanced_prompt"])
    if answer["source"] == "original":
        say("easel: note: nothing better was found; this is your own prompt")


def _marked(changes: list[dict[str, Any]]) -> str:
    """As `git diff --word-diff` shows it, or in colours."""
    if colour_allowed() and sys.stdout.isatty():
        return "".join(f"{_MARKS[it['op']]}{it['text']}{_PLAIN}" for it in changes)
    brackets = {"keep": ("", ""), "add": ("{+", "+}"), "remove": ("[-", "-]")}
    return "".join(it["text"].join(brackets[it["op"]]) for it in changes)
