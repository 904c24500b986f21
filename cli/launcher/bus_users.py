"""Who may do what on the bus of one machine: a key for each process, and the least rights that its work needs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cli.edge.registry import new_key, write_secret
from contracts.subjects import Subjects, subject_token

OPERATOR = "operator"
_ENHANCER = "enhancer"
_API = "$JS.API"
_ANSWERS = {"max": 100_000, "expires": "10m"}
"""Replies to one question: preparations and drafts tell how they go."""


def make_users(folder: Path, names: Iterable[str], namespace: str) -> list[dict[str, Any]]:
    """nats-server's `users` for these processes and for whoever looks after them.

    Their new keys are in `folder`, readable for its owner alone; those of earlier starts are gone.
    """
    for old in folder.glob("*.nk"):
        old.unlink()
    users = []
    for name in (*names, OPERATOR):
        secret, public = new_key()
        write_secret(key_file(folder, name), secret)
        users.append({"nkey": public, "permissions": permissions_of(name, namespace)})
    return users


def key_file(folder: Path, name: str) -> Path:
    """Where the secret of a process is."""
    return folder / f"{name}.nk"


def permissions_of(name: str, namespace: str) -> dict[str, Any]:
    """nats-server's `permissions` of the process `name`; all else is denied."""
    subjects = Subjects(namespace)
    if name == "gateway":
        return _gateway(subjects)
    if name == OPERATOR:
        return _operator(subjects)
    return _worker(subjects, subject_token(name), enhances=name.startswith(_ENHANCER))


def _gateway(subjects: Subjects) -> dict[str, Any]:
    ns, jobs, letters = subjects.namespace, subjects.jobs_stream, subjects.dead_letters_stream
    publish = [
        *_declarations(subjects, (*_streams(subjects), letters)),
        f"{_API}.INFO",
        *(f"{_API}.{verb}.{stream}" for verb in ("STREAM.INFO", "DIRECT.GET") for stream in _streams(subjects)),
        f"{_API}.STREAM.INFO.{letters}",
        *(f"{_API}.CONSUMER.{verb}.{jobs}" for verb in ("LIST", "NAMES")),
        f"{_API}.CONSUMER.INFO.{jobs}.*",
        *(f"{_API}.DIRECT.GET.{stream}.>" for stream in (subjects.outcomes_stream, subjects.images_stream)),
        f"{_API}.STREAM.MSG.DELETE.{jobs}",
        f"{_API}.CONSUMER.MSG.NEXT.{letters}.reaper",
        f"$JS.ACK.{letters}.reaper.>",
        *(f"{ns}.{kind}.*.*" for kind in ("job", "fin", "caller", "cancel", "rpc")),
        f"{ns}.blob.*.*.*.*.*",
        f"{ns}.prepare.*",
    ]
    subscribe = ["_INBOX_gateway.>", f"{ns}.live.*.*", f"{ns}.presence.*", f"{ns}.blob.*.*.>"]
    return {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}}


def _worker(subjects: Subjects, name: str, *, enhances: bool) -> dict[str, Any]:
    """What both kinds do; the enhancer also passes jobs on and answers questions, and neither takes the other's."""
    ns, jobs, mine = subjects.namespace, subjects.jobs_stream, subjects.consumer(_ENHANCER)
    pool = mine if enhances else "*"
    publish = [
        *_declarations(subjects, (*_streams(subjects), subjects.dead_letters_stream)),
        f"{_API}.CONSUMER.MSG.NEXT.{jobs}.{pool}",
        f"$JS.ACK.{jobs}.{pool}.>",
        f"{_API}.DIRECT.GET.{subjects.outcomes_stream}.{ns}.fin.*",
        f"{ns}.evt.{name}.*",
        f"{ns}.fin.{name}.*",
        subjects.presence(name),
    ]
    subscribe = [f"_INBOX_{name}.>", subjects.prepare(name)]
    if enhances:
        publish += [f"{ns}.job.*.*", f"{_API}.DIRECT.GET.{jobs}", f"{_API}.STREAM.MSG.DELETE.{jobs}"]
        subscribe += [subjects.cancel(_ENHANCER, "*"), subjects.endpoint(_ENHANCER, "*"), "$SRV.>"]
        deny: list[str] = []
    else:
        publish += [f"{ns}.blob.{name}.*.*.*.*", f"{_API}.DIRECT.GET.{subjects.images_stream}.{ns}.blob.*.*.*.*"]
        subscribe += [subjects.cancel("*", "*")]
        deny = [f"{_API}.CONSUMER.MSG.NEXT.{jobs}.{mine}", f"$JS.ACK.{jobs}.{mine}.>"]
    return {
        "publish": {"allow": publish, "deny": deny},
        "subscribe": {"allow": subscribe},
        "allow_responses": _ANSWERS,
    }


def _operator(subjects: Subjects) -> dict[str, Any]:
    """Look at everything, change nothing, read no prompt and no picture."""
    streams = (*_streams(subjects), subjects.dead_letters_stream)
    publish = [f"{_API}.INFO", f"{_API}.STREAM.NAMES", f"{_API}.STREAM.LIST", "$SRV.>"]
    publish += [f"{_API}.STREAM.INFO.{stream}" for stream in streams]
    publish += [f"{_API}.CONSUMER.{verb}.{stream}" for verb in ("LIST", "NAMES", "INFO") for stream in streams]
    publish += [f"{_API}.CONSUMER.INFO.{stream}.*" for stream in streams]
    return {"publish": {"allow": publish}, "subscribe": {"allow": [f"_INBOX_{OPERATOR}.>"]}}


def _streams(subjects: Subjects) -> tuple[str, ...]:
    return (
        subjects.jobs_stream,
        subjects.events_stream,
        subjects.outcomes_stream,
        subjects.images_stream,
        subjects.presence_stream,
        subjects.callers_stream,
    )


def _declarations(subjects: Subjects, streams: Iterable[str]) -> list[str]:
    """Whoever comes first declares the streams and its pool; nobody can take away a stream that must last."""
    passing = (subjects.events_stream, subjects.presence_stream)
    return [
        *(f"{_API}.STREAM.{verb}.{stream}" for verb in ("CREATE", "UPDATE") for stream in streams),
        *(f"{_API}.STREAM.DELETE.{stream}" for stream in passing),
        f"{_API}.CONSUMER.CREATE.{subjects.jobs_stream}.*.{subjects.namespace}.job.*.*",
        f"{_API}.CONSUMER.CREATE.{subjects.dead_letters_stream}.reaper",
    ]
