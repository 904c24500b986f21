"""The pipeline dialect's requests and answers."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.loras import Given


class SelectDeviceRequest(msgspec.Struct, kw_only=True):
    """`POST /pipeline/select-device`."""

    device: Annotated[
        str, Meta(min_length=1, max_length=64, description="`CPU`, `GPU`, `AUTO`, or a name that `/workers` lists.")
    ]


class RunRequest(msgspec.Struct, kw_only=True):
    """`POST /pipeline/run`."""

    prompt: Annotated[str, Meta(min_length=1, description="What to draw.")]
    loras: Annotated[Given, Meta(description="As `/v1/models` lists them: objects, or `name:weight`.")] = None


class PipelineReply(msgspec.Struct, kw_only=True):
    """Whether it went well, and why not."""

    status: Literal["success", "error"]
    message: str


class PipelineStatus(msgspec.Struct, kw_only=True):
    """`GET /pipeline/status`."""

    running: bool
    completed: bool


class Slot(msgspec.Struct, kw_only=True):
    """A caller's pipeline as it is remembered on the bus."""

    device: str = ""
    """Empty: none was selected yet."""
    job_id: str = ""
    """Of the last run."""
