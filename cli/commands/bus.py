"""`easel bus`: who may do what on a nats-server that runs apart, as in deploy/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.faults import CliError, ExitCode
from cli.options import AsJson
from cli.output import result, result_json, say
from runtime.messaging.users import SERVICES, keys_file, make_keys, users_file

app = typer.Typer(help="Users of the bus, their rights and their keys.", rich_markup_mode=None)

Devices = Annotated[
    list[str] | None,
    typer.Option("--device", metavar="NAME", help="A worker with a pool of its own name; may be repeated."),
]


@app.command("users")
def users(
    namespace: Annotated[
        str, typer.Option("--namespace", envvar="EASEL_NAMESPACE", help="First word of every subject.")
    ] = "easel",
    device: Devices = None,
    cluster: Annotated[bool, typer.Option("--cluster", help="The streams have copies on several servers.")] = False,
) -> None:
    """Print the users of the bus as nats-server's configuration."""
    words = ["easel bus users", *[f"--device {name}" for name in device or ()], *["--cluster"] * cluster]
    words += [f"--namespace {namespace}"] * (namespace != "easel")
    result(f"# Written by: {' '.join(words)}\n# 'easel bus keys' writes keys/keys.conf, with the public key of each.")
    result(users_file(namespace, device or (), clustered=cluster).rstrip())


@app.command("keys")
def keys(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the keys go.")],
    device: Devices = None,
    as_json: AsJson = False,
) -> None:
    """Make the keys that are missing, and keys.conf for nats-server."""
    files = {name: folder / f"{name}.nk" for name in (*SERVICES, *(device or ()))}
    try:
        public = make_keys(files)
        (folder / "keys.conf").write_text(keys_file(public))
    except (OSError, ValueError) as fault:
        raise CliError(ExitCode.USAGE, f"cannot make the keys of the bus: {fault}") from fault
    if as_json:
        result_json({"keys": public})
        return
    result(str(folder))
    say("Each service gets its own .nk file (EASEL_NATS_NKEY) and no other; nats-server gets keys.conf.")
