"""Asking one worker to get ready: a model into memory, on another device, or out of memory."""

from __future__ import annotations

import msgspec

from contracts.errors import JobError


class PrepareModel(msgspec.Struct, frozen=True, kw_only=True, tag="prepare_model"):
    """Have a model in memory on a device. Jobs that the worker takes meanwhile wait."""

    model: str = ""
    """One that it offers; empty for its first."""
    device: str = ""
    """In the words of its settings (`auto`, `cpu`, `cuda:1`); empty for the one in use."""


class UnloadModel(msgspec.Struct, frozen=True, kw_only=True, tag="unload_model"):
    """Have a model out of memory; harmless when it is not there."""

    model: str


class Preparing(msgspec.Struct, frozen=True, kw_only=True, tag="preparing"):
    """It goes on. Sent at each stage and every `ALIVE_S` seconds."""

    stage: str
    """For people: what is being done now."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True, tag="prepared"):
    """Done, and how the worker stands now."""

    device: str
    loaded: tuple[str, ...]


class NotPrepared(msgspec.Struct, frozen=True, kw_only=True, tag="not_prepared"):
    """It could not be done; the worker works on as before, or without a model in memory."""

    error: JobError


ALIVE_S = 2.0
"""Seconds between two signs that a worker still prepares."""
Preparation = PrepareModel | UnloadModel
PreparationReply = Preparing | Prepared | NotPrepared
