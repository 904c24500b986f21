"""`easel keys`: the file of API keys that a gateway reads."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.faults import CliError, ExitCode
from cli.options import AsJson
from cli.output import result, result_json, result_table, say

if TYPE_CHECKING:
    from gateway.keys import Scope

app = typer.Typer(help="Make, list and revoke API keys.", rich_markup_mode=None)

KeysFile = Annotated[
    Path,
    typer.Option("--keys", metavar="FILE", envvar="EASEL_GATEWAY_KEYS_FILE", help="The gateway's keys file."),
]


@app.command("create")
def create(
    keys: KeysFile,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Whose key it is.")],
    scopes: Annotated[
        str, typer.Option("--scopes", metavar="LIST", help="What it may do: generate, enhance, read; all if absent.")
    ] = "",
    expires_days: Annotated[
        float, typer.Option("--expires-days", metavar="DAYS", min=0, help="Days until it expires; never if absent.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Make a key and print its token, which is shown only now."""
    from gateway.keys import create_key, list_keys

    expires_at = time.time() + expires_days * 86_400 if expires_days else 0.0
    with _readable_faults():
        token = create_key(keys, name, _scopes(scopes), expires_at)
        key_id = list_keys(keys)[-1].id
    if as_json:
        result_json({"id": key_id, "name": name, "token": token, "keys_file": str(keys)})
        return
    result(token)
    say(f"key {key_id} for {name}; keep the token, it is stored nowhere. Clients set EASEL_API_KEY to it.")


@app.command("list")
def show(keys: KeysFile, as_json: AsJson = False) -> None:
    """List the keys, without their tokens."""
    from gateway.keys import list_keys

    with _readable_faults():
        found = list_keys(keys)
    rows = [(key.id, key.name, _time(key.created_at), _time(key.expires_at), ",".join(key.scopes)) for key in found]
    names = ("id", "name", "created_at", "expires_at", "scopes")
    if as_json:
        result_json({"keys": [dict(zip(names, row, strict=True)) for row in rows]})
    else:
        result_table(["id", "name", "created", "expires", "scopes"], rows)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else "never"


def _scopes(text: str) -> tuple[Scope, ...]:
    from gateway.keys import EVERY_SCOPE, Scope

    wanted = [word for word in text.replace(",", " ").split() if word]
    if unknown := [word for word in wanted if word not in EVERY_SCOPE]:
        message = f"there is no scope {unknown[0]!r}; there are: {', '.join(EVERY_SCOPE)}"
        raise CliError(ExitCode.USAGE, message)
    return tuple(Scope(word) for word in wanted) or EVERY_SCOPE


@app.command("revoke")
def revoke(
    keys: KeysFile,
    key_id: Annotated[str, typer.Argument(metavar="[ID]", help="As 'easel keys list' shows it.")] = "",
    name: Annotated[str, typer.Option("--name", help="Revoke every key of this name instead.")] = "",
    as_json: AsJson = False,
) -> None:
    """Remove keys; a running gateway refuses them at once."""
    from gateway.keys import list_keys, revoke_key

    if bool(key_id) == bool(name):
        raise CliError(ExitCode.USAGE, "say which key: its ID, or --name NAME")
    with _readable_faults():
        wanted = [key.id for key in list_keys(keys) if (key.name == name if name else key.id == key_id)]
        if not wanted:
            raise CliError(ExitCode.USAGE, f"{keys} has no key {key_id or name}; 'easel keys list' shows those it has")
        for revoked in wanted:
            revoke_key(keys, revoked)
    if as_json:
        result_json({"revoked": wanted})
        return
    for revoked in wanted:
        result(revoked)


@contextlib.contextmanager
def _readable_faults() -> Iterator[None]:
    from gateway.keys import KeysFileError

    try:
        yield
    except KeysFileError as fault:
        raise CliError(ExitCode.USAGE, str(fault)) from fault
