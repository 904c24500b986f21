"""What the page is told. Times are Unix seconds, null where it has not come to that."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from contracts.images import Lora, ModelInfo
from contracts.jobs import JobState


class PagePicture(msgspec.Struct, kw_only=True):
    """A finished picture without its bytes, which are at `/job/{id}/image?index=`."""

    index: int
    seed: int
    width: int
    height: int
    content_type: str
    size: int
    """Bytes."""


class PageJob(msgspec.Struct, kw_only=True):
    """A job as the page shows it."""

    id: str
    state: JobState
    ahead: Annotated[int | None, Meta(description="Jobs that will start before it; null unless it waits.")]
    attempt: int
    step: int
    total_steps: int
    worker: str
    created_at: float
    started_at: float | None
    finished_at: float | None
    model: str
    prompt: str
    asked_prompt: Annotated[str | None, Meta(description="The user's own words, where another prompt is drawn.")]
    enhancing: bool
    """Whether it waits for, or is in the hands of, an enhancer."""
    negative_prompt: str
    width: int
    height: int
    seed: int
    num_inference_steps: int
    guidance_scale: float
    num_images: int
    loras: list[Lora]
    strength: Annotated[float | None, Meta(description="Null unless it starts from a picture.")]
    masked: bool
    pictures: list[PagePicture]
    error: str | None
    code: str | None


class PagePreview(msgspec.Struct, kw_only=True):
    """A picture of unfinished work."""

    index: int
    content_type: str
    data: bytes


class PageProgress(msgspec.Struct, kw_only=True):
    """A step of a job that runs."""

    id: str
    attempt: int
    step: int
    total_steps: int
    worker: str
    at: float
    started_at: float
    previews: list[PagePreview]


class PageWorker(msgspec.Struct, kw_only=True):
    """A live worker, with what it offers."""

    id: str
    service: str
    pool: str
    device: str
    models: list[ModelInfo]
    loaded: list[str]
    slots: int
    free_slots: int
    host: str
    version: str
    started_at: float
    memory_bytes: int


class PageGateway(msgspec.Struct, kw_only=True):
    """What the gateway takes."""

    version: str
    chat: bool
    """Whether there is a route for conversations."""


class PageHello(msgspec.Struct, kw_only=True):
    """The first event: everything, so that a page that lost its way begins anew."""

    at: float
    """The gateway's clock, by which the page reads the other times."""
    gateway: PageGateway
    workers: list[PageWorker]
    jobs: list[PageJob]
    """All that wait or run, and the newest that ended, newest first."""
    older: int | None
    """Where older ones begin, for `GET /page/jobs?before=`; null: there are none."""


class PageJobs(msgspec.Struct, kw_only=True):
    """Jobs that ended, newest first; perhaps none where there are older ones."""

    jobs: list[PageJob]
    older: int | None
