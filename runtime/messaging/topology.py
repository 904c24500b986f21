"""The streams and consumers of one namespace, declared idempotently. Raw JSON, so that no server field is dropped.

What is promised to be durable (jobs, outcomes, pictures) is stored before it is acknowledged; the server must run with
`sync_interval: always` for that to hold through a power cut. Events and presence are files too, because a memory stream
vanishes with the server, its declaration included, but their writes are not waited for (`persist_mode: async`).
"""

from __future__ import annotations

from typing import Any

from contracts.subjects import MOVER, REAPER
from runtime.messaging.connection import NANOSECONDS, Bus, BusError
from runtime.messaging.job_queue import PRIORITY_GROUP

_NAME_IN_USE = 10058
_CANNOT_CHANGE = 10052
_NO_STREAM = 10059
_PATIENCE_S = 15.0
"""While copies are added or taken away, a server leaves questions about a stream without an answer."""
_WINDOW = {"duplicate_window": 600 * NANOSECONDS}
_UNIQUE = {"discard": "new", "max_msgs_per_subject": 1, "discard_new_per_subject": True}
MAX_EVENTS_PER_JOB = 512
"""Progress kept for late followers; older steps of a longer job are dropped."""
CALLER_NOTES_S = 30 * 24 * 3600
"""Seconds that a caller's choices are remembered."""
MAX_ACK_PENDING = 1000
"""Jobs that the workers of one pool may run at once."""


async def declare(bus: Bus) -> None:
    """Create every stream, or bring it up to date.

    Raises:
        BusError: the server refuses (no JetStream, no storage).
        EaselError: UNAVAILABLE.
    """
    passing = {bus.subjects.events_stream, bus.subjects.presence_stream}
    for config in _streams(bus):
        await _declare_stream(bus, config, may_be_emptied=config["name"] in passing)
    await _declare_shared(bus, bus.subjects.dead_letters_stream, REAPER)
    if bus.settings.replicas > 1:
        await _declare_shared(bus, bus.subjects.intake_stream, MOVER)


async def declare_pool(bus: Bus, pool: str) -> None:
    """Create the consumer that the workers of a pool share."""
    settings, subjects = bus.settings, bus.subjects
    await _declare_consumer(
        bus,
        subjects.jobs_stream,
        {
            "durable_name": subjects.consumer(pool),
            "filter_subject": subjects.job(pool, "*"),
            "ack_policy": "explicit",
            "deliver_policy": "all",
            "ack_wait": int(settings.ack_wait_s * NANOSECONDS),
            "max_deliver": settings.max_deliver,
            "max_ack_pending": MAX_ACK_PENDING,
            "max_waiting": 2048,
            "priority_policy": "prioritized",
            "priority_groups": [PRIORITY_GROUP],
            "num_replicas": settings.replicas,
        },
    )


def _streams(bus: Bus) -> list[dict[str, Any]]:
    everywhere = [_jobs(bus), _events(bus), _outcomes(bus), _images(bus), _presence(bus), _callers(bus)]
    in_clusters = [_intake(bus)] if bus.settings.replicas > 1 else []
    return [*everywhere, _dead_letters(bus), *in_clusters]


def _kept(bus: Bus) -> dict[str, Any]:
    return {"allow_direct": True, "num_replicas": bus.settings.replicas, "storage": "file", "retention": "limits"}


def _quick(bus: Bus) -> dict[str, Any]:
    """Unwaited writes exist for single copies only; in a cluster memory on several servers is as safe and as fast."""
    return _kept(bus) | ({"persist_mode": "async"} if bus.settings.replicas == 1 else {"storage": "memory"})


def _jobs(bus: Bus) -> dict[str, Any]:
    return {
        **_kept(bus),
        **_UNIQUE,
        **_WINDOW,
        "name": bus.subjects.jobs_stream,
        "subjects": [bus.subjects.job("*", "*")],
        "retention": "workqueue",
        "max_msgs": bus.settings.max_jobs,
    }


def _intake(bus: Bus) -> dict[str, Any]:
    """As the jobs' own, whose place it takes while that has no leader."""
    return _jobs(bus) | {"name": bus.subjects.intake_stream, "subjects": [bus.subjects.intake("*", "*")]}


def _events(bus: Bus) -> dict[str, Any]:
    ns = bus.settings.namespace
    return {
        **_quick(bus),
        "name": bus.subjects.events_stream,
        "subjects": [f"{ns}.evt.*.*"],
        "subject_transform": {"src": f"{ns}.evt.*.*", "dest": f"{ns}.evt.{{{{wildcard(2)}}}}"},
        "republish": {"src": f"{ns}.evt.>", "dest": f"{ns}.live.evt.>"},
        "discard": "old",
        "max_msgs_per_subject": MAX_EVENTS_PER_JOB,
        "max_age": 24 * 3600 * NANOSECONDS,
        "max_bytes": 256 << 20,
    }


def _outcomes(bus: Bus) -> dict[str, Any]:
    ns = bus.settings.namespace
    return {
        **_kept(bus),
        **_UNIQUE,
        **_WINDOW,
        "name": bus.subjects.outcomes_stream,
        "subjects": [f"{ns}.fin.*.*"],
        "subject_transform": {"src": f"{ns}.fin.*.*", "dest": f"{ns}.fin.{{{{wildcard(2)}}}}"},
        "republish": {"src": f"{ns}.fin.>", "dest": f"{ns}.live.fin.>"},
        "max_age": bus.settings.outcome_ttl_s * NANOSECONDS,
    }


def _images(bus: Bus) -> dict[str, Any]:
    ns = bus.settings.namespace
    return {
        **_kept(bus),
        **_WINDOW,
        "name": bus.subjects.images_stream,
        "subjects": [f"{ns}.blob.*.*.*.*.*"],
        "subject_transform": {
            "src": f"{ns}.blob.*.*.*.*.*",
            "dest": f"{ns}.blob.{{{{wildcard(2)}}}}.{{{{wildcard(3)}}}}.{{{{wildcard(4)}}}}.{{{{wildcard(5)}}}}",
        },
        "discard": "old",
        "max_msgs_per_subject": 1,
        "max_age": bus.settings.image_ttl_s * NANOSECONDS,
        "max_bytes": bus.settings.image_bytes,
    }


def _presence(bus: Bus) -> dict[str, Any]:
    return {
        **_quick(bus),
        "name": bus.subjects.presence_stream,
        "subjects": [f"{bus.settings.namespace}.presence.*"],
        "discard": "old",
        "max_msgs_per_subject": 1,
        "allow_msg_ttl": True,
        "max_age": 60 * NANOSECONDS,
    }


def _callers(bus: Bus) -> dict[str, Any]:
    return {
        **_kept(bus),
        **_WINDOW,
        "name": bus.subjects.callers_stream,
        "subjects": [f"{bus.settings.namespace}.caller.*.*"],
        "discard": "old",
        "max_msgs_per_subject": 1,
        "max_age": CALLER_NOTES_S * NANOSECONDS,
    }


def _dead_letters(bus: Bus) -> dict[str, Any]:
    advisories = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES"
    return {
        **_kept(bus),
        "name": bus.subjects.dead_letters_stream,
        "subjects": [f"{advisories}.{bus.subjects.jobs_stream}.*"],
        "retention": "workqueue",
        "max_age": 7 * 24 * 3600 * NANOSECONDS,
    }


async def _declare_stream(bus: Bus, config: dict[str, Any], *, may_be_emptied: bool) -> None:
    """Create or update. One copy more may need other storage: what is soon told again is then kept anew."""
    try:
        await bus.api(f"STREAM.CREATE.{config['name']}", config, _PATIENCE_S)
    except BusError as fault:
        if fault.code != _NAME_IN_USE:
            raise
        try:
            await bus.api(f"STREAM.UPDATE.{config['name']}", config, _PATIENCE_S)
        except BusError as fault:
            if fault.code != _CANNOT_CHANGE or not may_be_emptied:
                raise
            await _replace_stream(bus, config)


async def _replace_stream(bus: Bus, config: dict[str, Any]) -> None:
    """Also while other processes do the same: the one who comes second finds it gone, or as it should be."""
    try:
        await bus.api(f"STREAM.DELETE.{config['name']}")
    except BusError as fault:
        if fault.code != _NO_STREAM:
            raise
    await bus.api(f"STREAM.CREATE.{config['name']}", config, _PATIENCE_S)


async def _declare_shared(bus: Bus, stream: str, name: str) -> None:
    """The consumer of a stream that all gateways work off together."""
    config = {
        "durable_name": name,
        "ack_policy": "explicit",
        "ack_wait": 30 * NANOSECONDS,
        "max_deliver": -1,
        "num_replicas": bus.settings.replicas,
    }
    await _declare_consumer(bus, stream, config)


async def _declare_consumer(bus: Bus, stream: str, config: dict[str, Any]) -> None:
    name, only = config["durable_name"], config.get("filter_subject")
    verb = f"CONSUMER.CREATE.{stream}.{name}" + (f".{only}" if only else "")
    await bus.api(verb, {"stream_name": stream, "config": {"name": name, **config}, "action": ""}, _PATIENCE_S)
