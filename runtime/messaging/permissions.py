"""Who may do what on the bus: nats-server's `permissions` of each kind of process, the least that its work needs.

The one source of them: for the processes of `easel up`, for devices, and for deploy/ (`easel bus users`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contracts.prompts import ENHANCER
from contracts.subjects import MOVER, REAPER, Subjects, subject_token

Permissions = dict[str, Any]
ANY = "*"
"""In place of a worker's name: all that share one user."""

_API = "$JS.API"
_ANSWERS = {"max": 100_000, "expires": "10m"}
"""Replies to one question: preparations and drafts tell how they go."""


def gateway_permissions(subjects: Subjects, *, clustered: bool = False) -> Permissions:
    """Declares streams and pools, submits, reads and ends jobs; takes none. For clusters see `_in_clusters`."""
    ns, jobs, letters = subjects.namespace, subjects.jobs_stream, subjects.dead_letters_stream
    streams = _streams(subjects, clustered=clustered)
    publish = [
        *_declarations(subjects, (*streams, letters)),
        f"{_API}.INFO",
        *(f"{_API}.{verb}.{stream}" for verb in ("STREAM.INFO", "DIRECT.GET") for stream in streams),
        f"{_API}.STREAM.INFO.{letters}",
        *(f"{_API}.CONSUMER.{verb}.{jobs}" for verb in ("LIST", "NAMES")),
        f"{_API}.CONSUMER.INFO.{jobs}.*",
        *(f"{_API}.DIRECT.GET.{stream}.>" for stream in (subjects.outcomes_stream, subjects.images_stream)),
        f"{_API}.STREAM.MSG.DELETE.{jobs}",
        f"{_API}.CONSUMER.CREATE.{jobs}.*.{ns}.job.*.*",
        *_sharing(letters, REAPER),
        *(f"{ns}.{kind}.*.*" for kind in ("job", "fin", "caller", "cancel", "rpc")),
        f"{ns}.blob.*.*.*.*.*",
        f"{ns}.prepare.*",
        *(_in_clusters(subjects) if clustered else ()),
    ]
    subscribe = [_inbox("gateway"), f"{ns}.live.*.*", f"{ns}.presence.*", f"{ns}.blob.*.*.>"]
    return {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}}


def diffusion_permissions(
    subjects: Subjects, user: str, name: str = ANY, other_pools: Iterable[str] = ()
) -> Permissions:
    """The worker `name`, or all that share `user`: of any pool but the enhancers' and `other_pools`."""
    ns, images = subjects.namespace, subjects.images_stream
    publish = [
        *_taking(subjects, ANY),
        *_telling(subjects, name),
        f"{_API}.DIRECT.GET.{subjects.outcomes_stream}.{ns}.fin.*",
        f"{ns}.blob.{name}.*.*.*.*",
        f"{_API}.DIRECT.GET.{images}.{ns}.blob.*.*.*.*",
    ]
    denied = [subject for pool in (ENHANCER, *other_pools) for subject in _taking(subjects, subjects.consumer(pool))]
    subscribe = [_inbox(user), subjects.prepare(name), subjects.cancel(ANY, ANY)]
    return {
        "publish": {"allow": publish, "deny": denied},
        "subscribe": {"allow": subscribe},
        "allow_responses": _ANSWERS,
    }


def enhancer_permissions(subjects: Subjects, user: str, name: str = ANY) -> Permissions:
    """The enhancer `name`, or all that share `user`: passes its pool's jobs on, and answers questions."""
    ns, jobs = subjects.namespace, subjects.jobs_stream
    publish = [
        *_taking(subjects, subjects.consumer(ENHANCER)),
        *_telling(subjects, name),
        f"{_API}.DIRECT.GET.{subjects.outcomes_stream}.{ns}.fin.*",
        f"{ns}.job.*.*",
        f"{_API}.DIRECT.GET.{jobs}",
        f"{_API}.STREAM.MSG.DELETE.{jobs}",
    ]
    subscribe = [_inbox(user), subjects.cancel(ENHANCER, ANY), subjects.endpoint(ENHANCER, ANY), "$SRV.>"]
    return {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}, "allow_responses": _ANSWERS}


def device_permissions(subjects: Subjects, name: str) -> Permissions:
    """A device, whose pool has its name: takes that pool's jobs, reads what they start from, publishes its own."""
    ns = subjects.namespace
    publish = [
        *_taking(subjects, subjects.consumer(name)),
        *_telling(subjects, name),
        f"{ns}.blob.{name}.*.*.*.*",
        f"{_API}.DIRECT.GET.{subjects.images_stream}.{ns}.blob.*.in-{name}.*.*",
    ]
    return {"publish": {"allow": publish}, "subscribe": {"allow": [_inbox(name), subjects.cancel(name, ANY)]}}


def operator_permissions(subjects: Subjects, user: str, *, clustered: bool = False) -> Permissions:
    """For people and exporters: look at everything, change nothing, read no prompt and no picture."""
    streams = (*_streams(subjects, clustered=clustered), subjects.dead_letters_stream)
    publish = [f"{_API}.INFO", f"{_API}.STREAM.NAMES", f"{_API}.STREAM.LIST", "$SRV.>"]
    publish += [f"{_API}.STREAM.INFO.{stream}" for stream in streams]
    publish += [f"{_API}.CONSUMER.{verb}.{stream}" for verb in ("LIST", "NAMES", "INFO") for stream in streams]
    publish += [f"{_API}.CONSUMER.INFO.{stream}.*" for stream in streams]
    return {"publish": {"allow": publish}, "subscribe": {"allow": [_inbox(user)]}}


def _inbox(user: str) -> str:
    return f"_INBOX_{subject_token(user)}.>"


def _in_clusters(subjects: Subjects) -> list[str]:
    """Ask the leaders of streams, work off the intake, and keep its leader apart from that of the jobs."""
    intake = subjects.intake_stream
    return [
        *(f"{_API}.STREAM.MSG.GET.{stream}" for stream in _streams(subjects, clustered=True)),
        subjects.intake(ANY, ANY),
        f"{_API}.STREAM.MSG.DELETE.{intake}",
        *_sharing(intake, MOVER),
        f"{_API}.CONSUMER.INFO.{intake}.{MOVER}",
        f"{_API}.CONSUMER.LEADER.STEPDOWN.{intake}.{MOVER}",
        *(f"{_API}.STREAM.LEADER.STEPDOWN.{stream}" for stream in (intake, subjects.callers_stream)),
    ]


def _sharing(stream: str, consumer: str) -> list[str]:
    """Declare a consumer that gateways share, pull from it and settle."""
    return [
        f"{_API}.CONSUMER.CREATE.{stream}.{consumer}",
        f"{_API}.CONSUMER.MSG.NEXT.{stream}.{consumer}",
        f"$JS.ACK.{stream}.{consumer}.>",
    ]


def _taking(subjects: Subjects, consumer: str) -> list[str]:
    """Pull a pool's jobs and settle them."""
    jobs = subjects.jobs_stream
    return [f"{_API}.CONSUMER.MSG.NEXT.{jobs}.{consumer}", f"$JS.ACK.{jobs}.{consumer}.>"]


def _telling(subjects: Subjects, name: str) -> list[str]:
    """What every worker publishes."""
    return [subjects.event(name, ANY), subjects.outcome(name, ANY), subjects.presence(name)]


def _streams(subjects: Subjects, *, clustered: bool) -> tuple[str, ...]:
    """Those that are read."""
    return (
        subjects.jobs_stream,
        *([subjects.intake_stream] if clustered else []),
        subjects.events_stream,
        subjects.outcomes_stream,
        subjects.images_stream,
        subjects.presence_stream,
        subjects.callers_stream,
    )


def _declarations(subjects: Subjects, streams: Iterable[str]) -> list[str]:
    """Nobody can take away a stream that must last."""
    passing = (subjects.events_stream, subjects.presence_stream)
    return [
        *(f"{_API}.STREAM.{verb}.{stream}" for verb in ("CREATE", "UPDATE") for stream in streams),
        *(f"{_API}.STREAM.DELETE.{stream}" for stream in passing),
    ]
