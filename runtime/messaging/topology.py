"""The streams and consumers of one namespace, declared idempotently. Raw JSON, so that no server field is dropped.

What is promised to be durable (jobs, outcomes, pictures) is stored before it is acknowledged; the server must run with
`sync_interval: always` for that to hold through a power cut. Events and presence are files too, because a memory stream
vanishes with the server, its declaration included, but their writes are not waited for (`persist_mode: async`).
"""

from __future__ import annotations

from typing import Any

from runtime.messaging.connection import NANOSECONDS, Bus, BusError
from runtime.messaging.job_queue import PRIORITY_GROUP

_NAME_IN_USE = 10058
_CANNOT_CHANGE = 10052
_NO_STREAM = 10059
_PATIENCE_S = 15.0
"""While copies are added or taken away, a server leaves questions about a stream without an answer."""
_DUPLICATE_WINDOW_S = 600
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
    await _declare_consumer(
        bus,
        bus.subjects.dead_letters_stream,
        {
            "durable_name": "reaper",
            "ack_policy": "explicit",
            "ack_wait": 30 * NANOSECONDS,
            "max_deliver": -1,
            "num_replicas": bus.settings.replicas,
        },
    )


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
    settings, subjects, ns = bus.settings, bus.subjects, bus.settings.namespace
    kept = {"allow_direct": True, "num_replicas": settings.replicas, "storage": "file", "retention": "limits"}
    # Unwaited writes exist for single copies only; in a cluster memory on several servers is as safe and as fast.
    quick: dict[str, Any] = kept | ({"persist_mode": "async"} if settings.replicas == 1 else {"storage": "memory"})
    unique = {"discard": "new", "max_msgs_per_subject": 1, "discard_new_per_subject": True}
    window = {"duplicate_window": _DUPLICATE_WINDOW_S * NANOSECONDS}
    advisories = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES"
    return [
        {
            **kept,
            **unique,
            **window,
            "name": subjects.jobs_stream,
            "subjects": [f"{ns}.job.*.*"],
            "retention": "workqueue",
            "max_msgs": settings.max_jobs,
        },
        {
            **quick,
            "name": subjects.events_stream,
            "subjects": [f"{ns}.evt.*.*"],
            "subject_transform": {"src": f"{ns}.evt.*.*", "dest": f"{ns}.evt.{{{{wildcard(2)}}}}"},
            "republish": {"src": f"{ns}.evt.>", "dest": f"{ns}.live.evt.>"},
            "discard": "old",
            "max_msgs_per_subject": MAX_EVENTS_PER_JOB,
            "max_age": 24 * 3600 * NANOSECONDS,
            "max_bytes": 256 << 20,
        },
        {
            **kept,
            **unique,
            **window,
            "name": subjects.outcomes_stream,
            "subjects": [f"{ns}.fin.*.*"],
            "subject_transform": {"src": f"{ns}.fin.*.*", "dest": f"{ns}.fin.{{{{wildcard(2)}}}}"},
            "republish": {"src": f"{ns}.fin.>", "dest": f"{ns}.live.fin.>"},
            "max_age": settings.outcome_ttl_s * NANOSECONDS,
        },
        {
            **kept,
            **window,
            "name": subjects.images_stream,
            "subjects": [f"{ns}.blob.*.*.*.*.*"],
            "subject_transform": {
                "src": f"{ns}.blob.*.*.*.*.*",
                "dest": f"{ns}.blob.{{{{wildcard(2)}}}}.{{{{wildcard(3)}}}}.{{{{wildcard(4)}}}}.{{{{wildcard(5)}}}}",
            },
            "discard": "old",
            "max_msgs_per_subject": 1,
            "max_age": settings.image_ttl_s * NANOSECONDS,
            "max_bytes": settings.image_bytes,
        },
        {
            **quick,
            "name": subjects.presence_stream,
            "subjects": [f"{ns}.presence.*"],
            "discard": "old",
            "max_msgs_per_subject": 1,
            "allow_msg_ttl": True,
            "max_age": 60 * NANOSECONDS,
        },
        {
            **kept,
            **window,
            "name": subjects.callers_stream,
            "subjects": [f"{ns}.caller.*.*"],
            "discard": "old",
            "max_msgs_per_subject": 1,
            "max_age": CALLER_NOTES_S * NANOSECONDS,
        },
        {
            **kept,
            "name": subjects.dead_letters_stream,
            "subjects": [f"{advisories}.{subjects.jobs_stream}.*"],
            "retention": "workqueue",
            "max_age": 7 * 24 * 3600 * NANOSECONDS,
        },
    ]


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


async def _declare_consumer(bus: Bus, stream: str, config: dict[str, Any]) -> None:
    name, only = config["durable_name"], config.get("filter_subject")
    verb = f"CONSUMER.CREATE.{stream}.{name}" + (f".{only}" if only else "")
    await bus.api(verb, {"stream_name": stream, "config": {"name": name, **config}, "action": ""}, _PATIENCE_S)
