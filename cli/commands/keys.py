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
from cli.options import DEFAULT_URL, AsJson, Url
from cli.output import result, result_json, result_table, say

if TYPE_CHECKING:
    from gateway.keys import Scope
    from gateway.limits import KeyLimits

app = typer.Typer(help="Make, change, list and revoke API keys; see what they used.", rich_markup_mode=None)

KeysFile = Annotated[
    Path,
    typer.Option("--keys", metavar="FILE", envvar="EASEL_GATEWAY_KEYS_FILE", help="The gateway's keys file."),
]

PerMinute = Annotated[
    int | None, typer.Option("--requests-per-minute", min=0, help="Jobs it may ask for in a minute; 0 for any number.")
]
InFlight = Annotated[
    int | None, typer.Option("--jobs-in-flight", min=0, help="Jobs that may wait or run at once; 0 for any number.")
]
PerDay = Annotated[
    int | None, typer.Option("--pictures-per-day", min=0, help="Pictures it may have in a day of UTC; 0 for any.")
]
CostPerJob = Annotated[
    float | None,
    typer.Option("--megapixel-steps-per-job", min=0, help="Most of width x height x steps x pictures / 10^6 in a job."),
]
CostPerDay = Annotated[
    float | None, typer.Option("--megapixel-steps-per-day", min=0, help="The same, of all jobs of a day together.")
]


@app.command("create")
def create(  # noqa: PLR0917 - typer passes by name; the list is the command line
    keys: KeysFile,
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Whose key it is.")],
    scopes: Annotated[
        str, typer.Option("--scopes", metavar="LIST", help="generate, enhance, read, admin; all but admin if absent.")
    ] = "",
    expires_days: Annotated[
        float, typer.Option("--expires-days", metavar="DAYS", min=0, help="Days until it expires; never if absent.")
    ] = 0,
    requests_per_minute: PerMinute = None,
    jobs_in_flight: InFlight = None,
    pictures_per_day: PerDay = None,
    megapixel_steps_per_job: CostPerJob = None,
    megapixel_steps_per_day: CostPerDay = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print its token, which is shown only now."""
    from gateway.keys import create_key, list_keys
    from gateway.limits import NO_LIMITS

    limits = _limited(
        NO_LIMITS,
        requests_per_minute=requests_per_minute,
        jobs_in_flight=jobs_in_flight,
        pictures_per_day=pictures_per_day,
        megapixel_steps_per_job=megapixel_steps_per_job,
        megapixel_steps_per_day=megapixel_steps_per_day,
    )

    expires_at = time.time() + expires_days * 86_400 if expires_days else 0.0
    with _readable_faults():
        token = create_key(keys, name, _scopes(scopes), expires_at, limits)
        key_id = list_keys(keys)[-1].id
    if as_json:
        result_json({"id": key_id, "name": name, "token": token, "keys_file": str(keys)})
        return
    result(token)
    say(f"key {key_id} for {name}; keep the token, it is stored nowhere. Clients set EASEL_API_KEY to it.")


@app.command("set")
def change(  # noqa: PLR0917 - typer passes by name; the list is the command line
    keys: KeysFile,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As 'easel keys list' shows it.")],
    requests_per_minute: PerMinute = None,
    jobs_in_flight: InFlight = None,
    pictures_per_day: PerDay = None,
    megapixel_steps_per_job: CostPerJob = None,
    megapixel_steps_per_day: CostPerDay = None,
    as_json: AsJson = False,
) -> None:
    """Change a key's limits.

    What is not named stays; a running gateway follows at once.
    """
    from gateway.keys import change_key, list_keys

    with _readable_faults():
        before = next((key for key in list_keys(keys) if key.id == key_id), None)
        if before is None:
            raise CliError(ExitCode.USAGE, f"{keys} has no key {key_id}; 'easel keys list' shows those it has")
        limits = _limited(
            before.limits,
            requests_per_minute=requests_per_minute,
            jobs_in_flight=jobs_in_flight,
            pictures_per_day=pictures_per_day,
            megapixel_steps_per_job=megapixel_steps_per_job,
            megapixel_steps_per_day=megapixel_steps_per_day,
        )
        change_key(keys, key_id, limits=limits)
    if as_json:
        result_json({"id": key_id, "limits": _facts(limits)})
    else:
        result(_words(limits))


@app.command("usage")
def usage(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Show what the key in EASEL_API_KEY used today.

    With the scope admin: what every key did.
    """
    from cli.client.api import Api

    with Api(url) as api:
        answer = api.get("/v1/usage")
    if as_json:
        result_json(answer)
        return
    names = ["key", "name", "day", "jobs", "pictures", "megapixel_steps", "in_flight"]
    result_table(names, [tuple(str(row[name]) for name in names) for row in answer["usage"]])


def _limited(limits: KeyLimits, **changes: float | None) -> KeyLimits:
    import msgspec

    return msgspec.structs.replace(limits, **{name: value for name, value in changes.items() if value is not None})


def _facts(limits: KeyLimits) -> dict[str, float]:
    import msgspec

    return {name: value for name, value in msgspec.structs.asdict(limits).items() if value}


def _words(limits: KeyLimits) -> str:
    return ",".join(f"{name}={value:g}" for name, value in _facts(limits).items()) or "no limits"


@app.command("list")
def show(keys: KeysFile, as_json: AsJson = False) -> None:
    """List the keys, without their tokens."""
    from gateway.keys import list_keys

    with _readable_faults():
        found = list_keys(keys)
    rows = [
        (key.id, key.name, _time(key.created_at), _time(key.expires_at), ",".join(key.scopes), _words(key.limits))
        for key in found
    ]
    names = ("id", "name", "created_at", "expires_at", "scopes", "limits")
    if as_json:
        result_json({"keys": [dict(zip(names, row, strict=True)) for row in rows]})
    else:
        result_table(["id", "name", "created", "expires", "scopes", "limits"], rows)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else "never"


def _scopes(text: str) -> tuple[Scope, ...]:
    from gateway.keys import EVERY_SCOPE, USUAL_SCOPES, Scope

    wanted = [word for word in text.replace(",", " ").split() if word]
    if unknown := [word for word in wanted if word not in EVERY_SCOPE]:
        message = f"there is no scope {unknown[0]!r}; there are: {', '.join(EVERY_SCOPE)}"
        raise CliError(ExitCode.USAGE, message)
    return tuple(Scope(word) for word in wanted) or USUAL_SCOPES


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
