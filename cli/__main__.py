"""The `easel` command line."""

from __future__ import annotations

import importlib.metadata
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from cli.commands import (
    bus,
    doctor,
    edge,
    edit,
    enhance,
    generate,
    jobs,
    keys,
    loras,
    models,
    settings,
    status,
    up,
    workers,
)
from cli.faults import CliError, ExitCode
from cli.output import discard, result, result_json, say


class EaselGroup(TyperGroup):
    """Turns whatever ends a command into its exit code and one readable line."""

    def main(self, args: Sequence[str] | None = None, *_: Any, **rest: Any) -> NoReturn:
        words = sys.argv[1:] if args is None else args
        try:
            ended = super().main(args=words or ["--help"], **{**rest, "prog_name": "easel", "standalone_mode": False})
            sys.stdout.flush()
        except CliError as fault:
            _complain(fault.message)
            sys.exit(int(fault.code))
        except typer.Abort:
            sys.exit(int(ExitCode.CANCELLED))
        except BrokenPipeError:
            discard(sys.stdout)  # as in `easel jobs | head -1`
            sys.exit(int(ExitCode.INTERNAL))
        except Exception as fault:  # noqa: BLE001 - the outermost edge: nobody above could turn it into a line
            sys.exit(int(_ends_on(fault)))
        sys.exit(ended if isinstance(ended, int) else int(ExitCode.OK))


def _ends_on(fault: Exception) -> ExitCode:
    """Usage errors of typer have `format_message`; anything else is ours."""
    if (tell := getattr(fault, "format_message", None)) is not None:
        if context := getattr(fault, "ctx", None):
            _complain(f"{tell()} (see '{context.command_path} --help')")
        else:
            _complain(tell())
        return ExitCode.USAGE
    if os.environ.get("EASEL_TRACEBACK"):
        traceback.print_exception(fault)
    _complain(f"internal fault: {type(fault).__name__}: {fault}; EASEL_TRACEBACK=1 shows where")
    return ExitCode.INTERNAL


def _complain(message: str) -> None:
    for line in message.splitlines():
        say(f"easel: {line}")


_HELP = """Text to pictures on your own hardware.

\b
    easel up                                     run everything on this machine
    easel generate "a red fox in the snow"       draw, and save the picture here
    easel edit fox.png "a fox with a hat"        draw from a picture
    easel enhance "a red fox in the snow"        a better prompt, and no picture
    easel jobs                                   what waits, runs and has ended
    easel doctor                                 what is wrong here, and what to do

Results go to stdout and everything else to stderr, so commands can be piped; --json prints the same as JSON. Ctrl-C
cancels what the command has asked for. --install-completion teaches your shell the commands, models and job ids.
"""

app = typer.Typer(
    cls=EaselGroup,
    help=_HELP,
    epilog="EASEL_URL and EASEL_API_KEY say where the gateway is and who you are; EASEL_CA is the file of an authority "
    "of your own, which signed the gateway's certificate. Exit codes: 1 internal, 2 usage, 3 unreachable, 4 rejected, "
    "5 job failed, 130 cancelled.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(up.up)
app.command("generate")(generate.generate)
app.command("edit")(edit.edit)
app.command("enhance")(enhance.enhance)
app.add_typer(jobs.app, name="jobs")
app.command("workers")(workers.workers)
app.add_typer(models.app, name="models")
app.command("loras")(loras.loras)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.add_typer(keys.app, name="keys")
app.add_typer(edge.app, name="edge")
app.add_typer(bus.app, name="bus")
app.command("settings")(settings.settings)


@app.command("version")
def version(as_json: bool = typer.Option(False, "--json", help="Print JSON.")) -> None:
    """The version of this command."""
    number = importlib.metadata.version("easel")
    if as_json:
        result_json({"version": number})
    else:
        result(number)


def main() -> NoReturn:
    """The console script."""
    app()
    raise AssertionError("EaselGroup.main ends the process")


if __name__ == "__main__":
    main()
