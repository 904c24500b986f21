"""What is sent and answered."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

_Model = Annotated[str, Meta(min_length=1, description="As `/v1/models` lists it.")]
_Worker = Annotated[str, Meta(description="As `/workers` lists it; empty for any.")]


class LoadRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /models/load`."""

    model: _Model
    worker: _Worker = ""
    device: Annotated[
        str, Meta(description="Where to load it: `cpu`, `cuda:1`, `gpu`; empty for where the worker is.")
    ] = ""
    stream: Annotated[bool, Meta(description="Answer with server-sent events: `stage`s, then `loaded` or `error`.")] = (
        False
    )


class UnloadRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /models/unload`."""

    model: _Model
    worker: Annotated[str, Meta(description="As `/workers` lists it; empty for all that have it.")] = ""


class ModelReply(msgspec.Struct, kw_only=True):
    """Which workers were asked, and did it."""

    model: str
    workers: tuple[str, ...]


class LoadEvent(msgspec.Struct, kw_only=True):
    """A server-sent event: `stage` (a `Stage`), `loaded` (a `ModelReply`) or `error`."""

    event: str
    data: str
    """JSON."""


class Stage(msgspec.Struct, kw_only=True):
    """One event of a stream."""

    stage: str
