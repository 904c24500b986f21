"""OpenAI's image requests and answers, field for field; what is ours stands at the end of each."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contracts.images import ImageFormat
from gateway.loras import Given


class ImagesRequest(msgspec.Struct, kw_only=True):
    """`POST /v1/images/generations`. Other fields are accepted, ignored and named in `x-easel-ignored`."""

    prompt: Annotated[str, Meta(description="What to draw.")]
    model: Annotated[str | None, Meta(description="As `/v1/models` lists it; OpenAI's names mean the default.")] = None
    n: Annotated[int | None, Meta(description="Pictures, 1 to 10.")] = None
    size: Annotated[str | None, Meta(description="`auto` or `<width>x<height>` in pixels, rounded for the model.")] = (
        None
    )
    response_format: Literal["b64_json", "url"] | None = None
    output_format: ImageFormat | None = None
    output_compression: Annotated[int | None, Meta(description="JPEG and WebP quality, 0 to 100.")] = None
    stream: Annotated[bool | None, Meta(description="Answer with server-sent events.")] = None
    partial_images: Annotated[int | None, Meta(description="Pictures of the unfinished work to stream, 0 to 3.")] = None
    background: Annotated[
        Literal["transparent", "opaque", "auto"] | None, Meta(description="Pictures are opaque, whatever is asked.")
    ] = None
    seed: Annotated[int | None, Meta(description="Ours. For the same picture again; -1 or nothing for any.")] = None
    steps: Annotated[int | None, Meta(description="Ours. Denoising steps.")] = None
    num_inference_steps: Annotated[int | None, Meta(description="Ours. Another name for `steps`.")] = None
    guidance_scale: Annotated[float | None, Meta(description="Ours. How closely to follow the prompt.")] = None
    negative_prompt: Annotated[str | None, Meta(description="Ours. What to avoid.")] = None
    deterministic: Annotated[bool | None, Meta(description="Ours. Repeat it bit for bit on the same worker.")] = None
    cache: Annotated[
        str | None, Meta(description="Ours. A step cache of the model: faster, with some loss (`deepcache:3`, `none`).")
    ] = None
    loras: Annotated[
        Given, Meta(description="Ours. As `/v1/models` lists them: objects, or `name:weight`; in forms between commas.")
    ] = None
    use_enhancer: Annotated[bool | None, Meta(description="Ours. Draw a better prompt: `revised_prompt`.")] = None
    style: Annotated[str | None, Meta(description="With `use_enhancer`: how it should look.")] = None


class ImageSource(msgspec.Struct, kw_only=True):
    """A picture in a JSON body."""

    image_url: Annotated[str | None, Meta(description="A data URL, or an address of a host that is allowed here.")] = (
        None
    )
    file_id: Annotated[str | None, Meta(description="Not kept here: send the picture itself.")] = None


class EditsRequest(ImagesRequest, kw_only=True):
    """`POST /v1/images/edits`: as a form with the files `image` (or `image[]`) and `mask`, or as JSON."""

    images: Annotated[list[ImageSource] | None, Meta(description="JSON only. The first one is changed.")] = None
    mask: Annotated[ImageSource | None, Meta(description="JSON only. Transparent where to paint.")] = None
    input_fidelity: Annotated[
        Literal["high", "low"] | None, Meta(description="How much of the picture to keep; `strength` says it exactly.")
    ] = None
    strength: Annotated[float | None, Meta(description="Ours. How far to go from the picture, 0 to 1.")] = None


class VariationRequest(EditsRequest, kw_only=True):
    """`POST /v1/images/variations`: a form with the file `image`."""

    prompt: Annotated[str, Meta(description="Ours. What to draw.")] = ""


class StreamedImage(msgspec.Struct, kw_only=True):
    """An event of a stream: `image_generation.partial_image`, `.completed`, or the same of `image_edit`."""

    type: str
    b64_json: bytes
    partial_image_index: int | msgspec.UnsetType = msgspec.UNSET
    created_at: int
    size: str
    quality: str = "auto"
    background: str = "opaque"
    output_format: str
    usage: Usage | msgspec.UnsetType = msgspec.UNSET


class ImageEvent(msgspec.Struct, kw_only=True):
    """One server-sent event: its data is a `StreamedImage`, or an `ErrorReply` after the event `error`."""

    event: str
    data: str


class ImageItem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One picture: exactly one of `b64_json` and `url`."""

    b64_json: bytes | msgspec.UnsetType = msgspec.UNSET
    url: str | msgspec.UnsetType = msgspec.UNSET
    revised_prompt: str
    """The prompt that was drawn."""
    seed: int
    """Ours."""


class InputTokens(msgspec.Struct):
    """Of `Usage`."""

    text_tokens: int
    image_tokens: int = 0


class Usage(msgspec.Struct, kw_only=True):
    """Work in OpenAI's words, counted so that anyone can check it, as a model that draws has no tokens of its own.

    A text token is a word of the prompts, between spaces; an image token is 256 pixels of a picture, rounded up.
    """

    input_tokens: int
    input_tokens_details: InputTokens
    output_tokens: int
    total_tokens: int


class ImagesReply(msgspec.Struct, kw_only=True):
    """The pictures, and how they were made."""

    created: int
    data: list[ImageItem]
    background: str = "opaque"
    output_format: ImageFormat
    size: str
    """The real one."""
    usage: Usage
    model: str
    """Ours: the model that drew."""
    job_id: str
    """Ours: `/job/{job_id}` shows it."""


class Model(msgspec.Struct, kw_only=True):
    """One model that a live worker offers."""

    id: str
    object: str = "model"
    created: int
    """Unix seconds at which its worker started."""
    owned_by: str = "easel"
    family: str
    default_size: str
    default_steps: int
    min_steps: int
    max_steps: int
    default_guidance_scale: float
    max_guidance_scale: float
    size_multiple: int
    min_size: int
    max_size: int
    max_pixels: int
    fixed_size: bool
    """Whether `default_size` is all that it draws."""
    allowed_steps: list[int]
    """The only numbers of steps that it takes; empty for any from `min_steps` to `max_steps`."""
    schedulers: list[str]
    """What `scheduler` may be in the job routes, and `sampler_name` in the web UI's; its own first."""
    caches: list[str]
    """Step caches that `cache` may name, each with its usual setting."""
    negative_prompt: bool
    img2img: bool
    """Whether it takes a picture to start from."""
    inpaint: bool
    """Whether it takes a mask too."""
    loras: list[str]
    """What `loras` may name."""
    licence: str


class ModelList(msgspec.Struct, kw_only=True):
    """`GET /v1/models`."""

    object: str = "list"
    data: list[Model]


class Fault(msgspec.Struct, kw_only=True):
    """Of `ErrorReply`."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorReply(msgspec.Struct):
    """Every failure under `/v1`."""

    error: Fault
