"""The job routes' requests and answers."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from contracts.images import ImageFormat, Lora
from contracts.jobs import JobState
from contracts.prompts import PromptSource
from contracts.workers import DeviceLoad
from gateway.loras import Given


class GenerateRequest(msgspec.Struct, kw_only=True):
    """`POST /generate` and `/generate/async`. Null means: the model's own."""

    prompt: Annotated[str, Meta(description="What to draw.")]
    negative_prompt: Annotated[str | None, Meta(description="What to avoid.")] = None
    model: Annotated[str | None, Meta(description="As `/v1/models` lists it.")] = None
    device: Annotated[str | None, Meta(description="Where to draw it, as `/workers` lists it; null for any.")] = None
    width: Annotated[int | None, Meta(description="Pixels, rounded for the model.")] = None
    height: Annotated[int | None, Meta(description="Pixels, rounded for the model.")] = None
    seed: Annotated[int | None, Meta(description="For the same picture again; null or -1 for any.")] = None
    num_inference_steps: Annotated[int | None, Meta(description="Denoising steps.")] = None
    steps: Annotated[int | None, Meta(description="Another name for `num_inference_steps`.")] = None
    guidance_scale: Annotated[float | None, Meta(description="How closely to follow the prompt.")] = None
    num_images: Annotated[int | None, Meta(description="Pictures, 1 to 10.")] = None
    output_format: ImageFormat | None = None
    output_compression: Annotated[int | None, Meta(description="JPEG and WebP quality, 0 to 100.")] = None
    init_image: Annotated[
        str | None,
        Meta(description="Picture to start from: a data URL, base64, or an address of a host that is allowed here."),
    ] = None
    mask_image: Annotated[
        str | None, Meta(description="Where to paint: transparent pixels if it has any, else white ones.")
    ] = None
    mask_inverted: Annotated[bool, Meta(description="Paint where the mask says not to.")] = False
    mask_blur: Annotated[int | None, Meta(description="Pixels over which the mask's edge is softened.")] = None
    strength: Annotated[float | None, Meta(description="How far to go from init_image, 0 to 1.")] = None
    scheduler: Annotated[str | None, Meta(description="One of the model's; null for its own.")] = None
    loras: Annotated[Given, Meta(description="As `/v1/models` lists them: objects, or `name:weight`.")] = None
    num_previews: Annotated[
        int | None, Meta(description="Pictures of the unfinished work to send as events, 0 to 50.")
    ] = None
    deterministic: Annotated[
        bool | None, Meta(description="Draw it apart from others, to repeat it bit for bit on the same worker.")
    ] = None
    cache: Annotated[
        str | None, Meta(description="A step cache of the model: faster, with some loss; `deepcache:3`, `none`.")
    ] = None
    use_enhancer: Annotated[
        bool | None, Meta(description="Draw a better prompt, which a language model makes of this one.")
    ] = None
    style: Annotated[str | None, Meta(description="What the enhancer should make it look like; with use_enhancer.")] = (
        None
    )
    mode: Annotated[Any, Meta(description="Of another dialect, at `POST /generate` only.")] = None


class EditRequest(GenerateRequest, kw_only=True):
    """`POST /job/{job_id}/edit`: what to draw from a picture of that job, unless `init_image` says another."""

    index: Annotated[int, Meta(ge=0, description="Which of several pictures.")] = 0


class PictureReply(msgspec.Struct, kw_only=True):
    """One of several pictures."""

    index: int
    image_base64: bytes
    seed: int
    width: int
    height: int


class GenerateReply(msgspec.Struct, kw_only=True):
    """The picture, or the first of them."""

    success: bool = True
    job_id: str
    image_base64: bytes
    width: int
    height: int
    seed: int
    prompt: str
    generation_time: float
    """Seconds from the worker's start to the stored picture."""
    model: str
    negative_prompt: str
    num_inference_steps: int
    guidance_scale: float
    content_type: str
    images: list[PictureReply] | UnsetType = UNSET
    """All of them, where there are several."""


class SubmittedReply(msgspec.Struct, kw_only=True):
    """`POST /generate/async`: the job is queued and durable."""

    success: bool = True
    job_id: str
    status: JobState = JobState.QUEUED
    status_url: str
    result_url: str
    image_url: str
    events_url: str


class FaultReply(msgspec.Struct, kw_only=True):
    """Why a job failed."""

    code: str
    message: str
    param: str | None = None


class PictureFacts(msgspec.Struct, kw_only=True):
    """A finished picture without its bytes."""

    index: int
    seed: int
    width: int
    height: int
    content_type: str
    size: int
    """Bytes."""
    url: str
    thumbnail_url: str


class EnhancementReply(msgspec.Struct, kw_only=True):
    """How the prompt of a job became another."""

    original_prompt: str
    style: str
    source: PromptSource | None
    """`model`, `partial` or `original`; null until it is done."""


class JobReply(msgspec.Struct, kw_only=True):
    """A job at one moment. Times are Unix seconds, null where it has not come to that."""

    success: bool = True
    job_id: str
    status: JobState
    progress: float
    """0 … 1 of the denoising steps."""
    step: int
    total_steps: int
    attempt: int
    """Workers that have begun it."""
    worker: str
    created_at: float
    started_at: float | None
    finished_at: float | None
    model: str
    prompt: str
    negative_prompt: str
    width: int
    height: int
    seed: int
    num_inference_steps: int
    guidance_scale: float
    num_images: int
    scheduler: str
    """Empty for the model's own."""
    loras: list[Lora]
    deterministic: bool
    """Drawn apart from others."""
    cache: str
    """The step cache that it was drawn with; empty for none."""
    strength: float | None
    """How far it goes from the picture it starts from; null when it starts from none."""
    images: list[PictureFacts]
    enhancement: EnhancementReply | msgspec.UnsetType = msgspec.UNSET
    """Of jobs with `use_enhancer`."""
    error: str | None = None
    """Why it failed, for people."""
    code: str | None = None
    """Why it failed, for programs."""


class JobEventReply(msgspec.Struct, kw_only=True):
    """One server-sent event of `GET /job/{job_id}/events`."""

    id: str
    event: str
    data: str
    """JSON."""


class JobListReply(msgspec.Struct, kw_only=True):
    """`GET /jobs`, newest first."""

    jobs: list[JobReply]


class WorkerReply(msgspec.Struct, kw_only=True):
    """One live worker."""

    id: str
    service: str
    pool: str
    device: str
    models: list[str]
    loaded: list[str]
    slots: int
    free_slots: int
    host: str
    version: str
    started_at: float
    memory_bytes: int
    devices: list[DeviceLoad]
    """The graphics devices of its machine, as far as their drivers tell."""


class WorkerListReply(msgspec.Struct, kw_only=True):
    """`GET /workers`."""

    workers: list[WorkerReply]


class JobsErrorReply(msgspec.Struct, kw_only=True):
    """Every failure outside `/v1`."""

    success: bool = False
    error: str
    code: str
    param: str | None = None
