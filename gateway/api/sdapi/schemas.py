"""The web UI's requests and answers, by its names. Clients send nulls, and many fields that mean nothing here."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Options = dict[str, Any]


class Txt2ImgRequest(msgspec.Struct, kw_only=True):
    """`POST /sdapi/v1/txt2img`. Other fields are passed over; null means: the model's own."""

    prompt: Annotated[str | None, Meta(description="What to draw.")] = None
    negative_prompt: Annotated[str | None, Meta(description="What to avoid.")] = None
    seed: Annotated[int | None, Meta(description="-1 for any. Picture k has seed + k.")] = None
    sampler_name: Annotated[str | None, Meta(description="One of `/samplers`; others mean the model's own.")] = None
    sampler_index: Annotated[str | None, Meta(description="Older name of `sampler_name`.")] = None
    scheduler: Annotated[str | None, Meta(description="Spacing of the steps, as `Karras`.")] = None
    batch_size: Annotated[int | None, Meta(description="Pictures; times `n_iter` at most 10.")] = None
    n_iter: Annotated[int | None, Meta(description="Batches.")] = None
    steps: Annotated[int | None, Meta(description="Denoising steps; brought within the model's limits.")] = None
    cfg_scale: Annotated[float | None, Meta(description="Guidance; brought within the model's limits.")] = None
    width: Annotated[int | None, Meta(description="Pixels, rounded for the model.")] = None
    height: Annotated[int | None, Meta(description="Pixels, rounded for the model.")] = None
    denoising_strength: Annotated[float | None, Meta(description="Of `img2img`: how far to go, 0 to 1.")] = None
    enable_hr: Annotated[bool | None, Meta(description="A second, larger pass: not done, and told in a header.")] = None
    override_settings: Annotated[
        Options | None, Meta(description="`sd_model_checkpoint` is honoured for this request.")
    ] = None
    model: Annotated[str | None, Meta(description="Of stable-diffusion.cpp's clients.")] = None
    send_images: Annotated[bool | None, Meta(description="False: no pictures in the answer.")] = None


class Img2ImgRequest(Txt2ImgRequest, kw_only=True):
    """`POST /sdapi/v1/img2img`."""

    init_images: Annotated[list[str] | None, Meta(description="Base64 or data URLs. The first is changed.")] = None
    mask: Annotated[str | None, Meta(description="White, or transparent, where to paint.")] = None
    mask_blur: Annotated[int | None, Meta(description="Pixels over which the mask's edge is softened.")] = None
    inpainting_mask_invert: Annotated[int | None, Meta(description="1: paint where the mask says not to.")] = None
    include_init_images: Annotated[bool | None, Meta(description="Repeat them in `parameters`.")] = None


class ImagesAnswer(msgspec.Struct, kw_only=True):
    """Of `txt2img` and `img2img`."""

    images: list[bytes]
    """Base64 without a prefix."""
    parameters: dict[str, Any]
    """The understood part of the request."""
    info: str
    """JSON: what was drawn, with `infotexts`, `all_seeds` and the real size."""


class ProgressState(msgspec.Struct, kw_only=True):
    """Of `ProgressAnswer`."""

    skipped: bool = False
    interrupted: bool = False
    stopping_generation: bool = False
    job: str = ""
    job_count: int = 0
    """The caller's jobs that wait or run."""
    job_timestamp: str = "0"
    job_no: int = 0
    sampling_step: int = 0
    sampling_steps: int = 0


class ProgressAnswer(msgspec.Struct, kw_only=True):
    """`GET /sdapi/v1/progress`: the caller's own work, on whichever gateway it was asked for."""

    progress: float = 0.0
    """0 … 1; 0 when nothing is done."""
    eta_relative: float = 0.0
    """Seconds."""
    state: ProgressState
    current_image: bytes | None = None
    """Base64 JPEG of the unfinished picture."""
    textinfo: str | None = None
    current_task: str | None = None


class SdModel(msgspec.Struct, kw_only=True):
    """One of `/sdapi/v1/sd-models`."""

    title: str
    model_name: str
    hash: str | None = None
    sha256: str | None = None
    filename: str
    config: str | None = None


class SdLora(msgspec.Struct, kw_only=True):
    """One of `/sdapi/v1/loras`."""

    name: str
    """For `<lora:name:weight>` in a prompt."""
    alias: str
    path: str
    """Within its worker's folder."""
    metadata: dict[str, Any]


class Sampler(msgspec.Struct, kw_only=True):
    """One of `/sdapi/v1/samplers`."""

    name: str
    aliases: list[str] = msgspec.field(default_factory=list)
    options: dict[str, str] = msgspec.field(default_factory=dict)


class OptionsRequest(msgspec.Struct, kw_only=True):
    """`POST /sdapi/v1/options`: clients send all options back; one of them has a meaning here."""

    sd_model_checkpoint: Annotated[str | None, Meta(description="One of `/sd-models`.")] = None


class PngInfoRequest(msgspec.Struct, kw_only=True):
    """`POST /sdapi/v1/png-info`."""

    image: Annotated[str, Meta(description="A PNG picture: base64 or a data URL.")]


class PngInfoAnswer(msgspec.Struct, kw_only=True):
    """What a picture says about how it was drawn."""

    info: str
    items: dict[str, str]
    parameters: dict[str, str]


class SdErrorReply(msgspec.Struct, kw_only=True):
    """Every failure under `/sdapi`."""

    error: str
    """Its kind, a word of a closed set."""
    detail: str
    body: str = ""
    errors: str


class Checkpoint(msgspec.Struct, kw_only=True):
    """The model that a caller chose with `POST /sdapi/v1/options`, as it is remembered on the bus."""

    name: str
