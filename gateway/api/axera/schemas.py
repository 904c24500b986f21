"""The picker's request and answer; other fields are passed over."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class ModeRequest(msgspec.Struct, kw_only=True):
    """`POST /generate` with `mode`. Null means: the model's own."""

    mode: Annotated[Literal["txt2img", "img2img"], Meta(description="Whether there is a picture to start from.")]
    prompt: Annotated[str, Meta(description="What to draw.")]
    negative_prompt: Annotated[str | None, Meta(description="What to avoid.")] = None
    init_image: Annotated[str | None, Meta(description="Needed for img2img: base64 or a data URL.")] = None
    init_images: Annotated[
        list[str] | None, Meta(description="As the web UI's clients send it; `init_image` wins.")
    ] = None
    width: Annotated[int | None, Meta(description="Pixels, rounded for the model.")] = None
    height: Annotated[int | None, Meta(description="Pixels, rounded for the model.")] = None
    steps: Annotated[int | None, Meta(description="Denoising steps; brought within the model's limits.")] = None
    seed: Annotated[int | None, Meta(description="-1 for any.")] = None
    sampler_name: Annotated[str | None, Meta(description="Others than the model's mean its own.")] = None
    cfg_scale: Annotated[float | None, Meta(description="Guidance; brought within the model's limits.")] = None
    n_iter: Annotated[int | None, Meta(description="Batches.")] = None
    batch_size: Annotated[int | None, Meta(description="Pictures; times `n_iter` at most 10.")] = None
    denoising_strength: Annotated[float | None, Meta(description="How far to go from init_image, 0 to 1.")] = None
    strength: Annotated[float | None, Meta(description="Another name of `denoising_strength`.")] = None


class ModeReply(msgspec.Struct, kw_only=True):
    """The pictures, in base64 without a prefix."""

    status: Literal["ok"] = "ok"
    base64: bytes
    images: list[bytes]
    """All of them; the first is `base64` again."""
    seed: int
    width: int
    height: int
    steps: int
    sampler_name: str
    text_time_ms: int
    """Milliseconds before the first step, in which the prompt is encoded: told by the times of the steps."""
    total_time_ms: int
    """Milliseconds from the worker's start to the stored picture."""
    job_id: str


class ModeErrorReply(msgspec.Struct, kw_only=True):
    """Every failure in this dialect; never with status 200."""

    status: Literal["error"] = "error"
    error: str
    code: str
    param: str | None = None
