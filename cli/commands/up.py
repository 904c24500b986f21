"""`easel up`: everything on this machine, until Ctrl-C."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.faults import CliError, ExitCode
from cli.options import DEFAULT_URL, AsJson
from cli.output import result, result_json, say

if TYPE_CHECKING:
    from cli.launcher.plan import Flags, Plan

_PORTS = {"min": 0, "max": 65535, "show_default": False}


def up(  # noqa: PLR0917 - typer passes by name; the list is the command line
    port: Annotated[
        int | None, typer.Option("--port", metavar="PORT", **_PORTS, help="Gateway's port; 0 for a free one.  [8000]")
    ] = None,
    grpc_port: Annotated[
        int | None, typer.Option("--grpc-port", metavar="PORT", **_PORTS, help="Gateway's gRPC port.  [50051]")
    ] = None,
    nats_port: Annotated[
        int | None, typer.Option("--nats-port", metavar="PORT", **_PORTS, help="Bus's port.  [a free one]")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", metavar="DIR", help="Queue, pictures and logs.  [~/.local/share/easel]")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, max=64, help="Diffusion processes.  [1]")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", metavar="MODEL", help="Model to offer; may be repeated.")
    ] = None,
    keys: Annotated[Path | None, typer.Option("--keys", metavar="FILE", help="Ask for the API keys in FILE.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show all that the processes log.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the bus, the gateway and the workers here until Ctrl-C."""
    from cli.launcher.plan import Flags

    flags = Flags(port, grpc_port, nats_port, data_dir, workers, tuple(model or ()), keys)
    run(_plan(flags), verbose=verbose, as_json=as_json)


def run(plan: Plan, *, verbose: bool, as_json: bool) -> None:
    """Carry out `plan` until a signal.

    Raises:
        CliError: the data folder is in use, or a process could not start.
    """
    import asyncio

    from cli.launcher.launcher import Launcher

    with plan.data_dir.locked():

        def on_ready(state: dict[str, Any]) -> None:
            result_json(state) if as_json else result(_welcome(plan, state))

        for note in plan.notes:
            say(f"easel: {note}")
        say(f"starting on {plan.url} with data in {plan.data_dir.path}")
        asyncio.run(Launcher(plan, say, verbose=verbose).run(on_ready))
        say("stopped")


def _plan(flags: Flags) -> Plan:
    from cli.launcher.plan import make_plan
    from runtime.process.settings import SettingsError

    try:
        return make_plan(flags, os.environ)
    except SettingsError as wrong:
        raise CliError(ExitCode.USAGE, "\n".join(wrong.faults)) from wrong


def command_name() -> str:
    """What to type for `easel` here: it need not be on the PATH of the next terminal."""
    beside = Path(sys.executable).with_name("easel")
    found = shutil.which("easel")
    if not beside.exists() or (found and Path(found).resolve() == beside.resolve()):
        return "easel"
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)


def _welcome(plan: Plan, state: dict[str, Any]) -> str:
    """Where to go and what to type next."""
    address = "" if plan.url == DEFAULT_URL else f" --url {plan.url}"
    key = " with a key of the keys file in EASEL_API_KEY" if plan.keys_file else ""
    return f"""
Easel is ready.

  page     {plan.url}/
  docs     {plan.url}/docs
  OpenAI   {plan.url}/v1
  gRPC     {plan.grpc_address or "not offered"}
  bus      {state["nats_url"]}
  models   {", ".join(state["models"])}
  data     {plan.data_dir.path} (logs in logs/)

In another terminal{key}:

  {command_name()} generate "a red fox in the snow" -o fox.png{address}

Ctrl-C stops everything.
"""
