"""How a worker behaves, whatever its kind of work."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Shared by every service that takes jobs."""

    pool: Annotated[
        str,
        Meta(
            description="Queue to pull from; workers of a pool must do the same jobs. Empty: named after the models.",
            pattern="^[A-Za-z0-9_-]{0,48}$",
            extra={"env": ("EASEL_WORKER_POOL",)},
        ),
    ] = ""
    name: Annotated[
        str,
        Meta(
            description="Name on the bus, unique and stable. Empty: service, host and a random part.",
            pattern="^[A-Za-z0-9_-]{0,64}$",
            extra={"env": ("EASEL_WORKER_NAME",)},
        ),
    ] = ""
    slots: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Jobs to take at once at least; a worker that draws several at once takes as many.",
            extra={"env": ("EASEL_WORKER_SLOTS",)},
        ),
    ] = 1
    priority: Annotated[
        int,
        Meta(
            ge=0,
            le=9,
            description="Within a pool: jobs go to free workers of the lowest number, and to the others when those are "
            "busy.",
            extra={"env": ("EASEL_WORKER_PRIORITY",)},
        ),
    ] = 0
    soft_stop_s: Annotated[
        float,
        Meta(
            ge=0,
            description="Seconds that running jobs get to finish after the first SIGTERM; then they are handed back.",
            extra={"env": ("EASEL_WORKER_SOFT_STOP_S",)},
        ),
    ] = 60.0
    metadata: Annotated[
        bool,
        Meta(
            description="Write prompt and parameters into the picture files.",
            extra={"env": ("EASEL_WORKER_METADATA",)},
        ),
    ] = True
