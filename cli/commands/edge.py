"""`easel edge`: devices that join the bus from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.edge.bundle import write_bundle
from cli.edge.registry import Registry
from cli.edge.reload import reload_server
from cli.options import AsJson
from cli.output import result, result_json, say
from runtime.messaging.users import SERVICES

app = typer.Typer(help="Let devices join the bus, and end it.", rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The device's name on the bus.")]
Folder = Annotated[
    Path,
    typer.Option("--nats", metavar="FOLDER", help="Folder of nats-server's configuration."),
]
Namespace = Annotated[str, typer.Option("--namespace", envvar="EASEL_NAMESPACE", help="First word of every subject.")]
PidFile = Annotated[
    Path | None,
    typer.Option("--pid-file", metavar="FILE", help="nats-server's pid_file; default nats.pid in the folder."),
]


@app.command("enroll")
def enroll(
    name: Name,
    *,
    url: Annotated[str, typer.Option("--url", help="The bus as the device reaches it: tls://HOST:4222.")],
    nats: Folder = Path("deploy/nats"),
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where the device's files go; default ./NAME.")
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(
            "--ca", metavar="FILE", exists=True, dir_okay=False, help="Certificates that signed the server's own."
        ),
    ] = None,
    namespace: Namespace = "easel",
    pid_file: PidFile = None,
    as_json: AsJson = False,
) -> None:
    """Make one device's credentials and its configuration."""
    registry = Registry(nats)
    secret = registry.enroll(name, namespace)
    folder = out or Path(name)
    write_bundle(folder, name, secret=secret, url=url, namespace=namespace, authority=ca)
    told = _tell(nats, pid_file)
    if as_json:
        result_json({"device": name, "folder": str(folder), "reloaded": told})
        return
    result(str(folder))
    say(f"{name} may join. Copy {folder} to it and run there: sudo ./install.sh --device {folder.name}")
    say(f"The key is in {folder / 'device.nk'} and nowhere else. Our own services use {nats}/<service>.nk.")
    _warn_unless(told)


@app.command("revoke")
def revoke(name: Name, nats: Folder = Path("deploy/nats"), pid_file: PidFile = None, as_json: AsJson = False) -> None:
    """End a device's credentials; others keep their connections."""
    Registry(nats).revoke(name)
    told = _tell(nats, pid_file)
    if as_json:
        result_json({"revoked": name, "reloaded": told})
        return
    result(name)
    _warn_unless(told)


@app.command("services")
def services(
    nats: Folder = Path("deploy/nats"),
    namespace: Namespace = "easel",
    pid_file: PidFile = None,
    as_json: AsJson = False,
) -> None:
    """Let our own services in, each with its key; again after upgrades."""
    Registry(nats).write(namespace)
    told = _tell(nats, pid_file)
    keys = {name: str(nats / f"{name}.nk") for name in SERVICES}
    if as_json:
        result_json({"keys": keys, "reloaded": told})
        return
    for path in keys.values():
        result(path)
    say("Each service needs its own (EASEL_NATS_NKEY); workers also EASEL_NATS_USER, the name of the user.")
    _warn_unless(told)


@app.command("list")
def show(nats: Folder = Path("deploy/nats"), as_json: AsJson = False) -> None:
    """List the devices that may join.

    'easel workers' lists those that have.
    """
    names = Registry(nats).names()
    if as_json:
        result_json({"devices": names})
    for name in [] if as_json else names:
        result(name)


def _warn_unless(told: bool) -> None:
    if not told:
        say("nats-server was not told (no pid file): run 'nats-server --signal reload' where it runs.")


def _tell(nats: Path, pid_file: Path | None) -> bool:
    """Have the users read anew, where the server can be found."""
    path = pid_file or nats / "nats.pid"
    if pid_file is None and not path.exists():
        return False
    reload_server(path)
    return True
