"""What a device may do on the bus: take its own pool's jobs, publish what is its own, read what its jobs start from."""

from __future__ import annotations

from typing import Any

from contracts.subjects import Subjects, subject_token


def device_permissions(name: str, namespace: str) -> dict[str, Any]:
    """nats-server's `permissions` of the device `name`, whose pool has its name; all else is denied."""
    subjects = Subjects(namespace)
    jobs, consumer = subjects.jobs_stream, subjects.consumer(name)
    publish = [
        f"$JS.API.CONSUMER.MSG.NEXT.{jobs}.{consumer}",
        f"$JS.ACK.{jobs}.{consumer}.>",
        f"{namespace}.evt.{name}.*",
        f"{namespace}.fin.{name}.*",
        f"{namespace}.blob.{name}.*.*.*.*",
        subjects.presence(name),
        f"$JS.API.DIRECT.GET.{subjects.images_stream}.{namespace}.blob.*.in-{name}.*.*",
    ]
    subscribe = [f"_INBOX_{subject_token(name)}.>", subjects.cancel(name, "*")]
    return {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}}
