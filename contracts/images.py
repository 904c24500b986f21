"""Pictures: what is asked for, what a model can do, and what came out."""

from __future__ import annotations

import enum

import msgspec

MAX_PROMPT_CHARACTERS = 32_000
"""OpenAI's own limit; surfaces may set a lower one."""
MAX_SEED = 2**32 - 1
MAX_IMAGES = 10
"""Pictures in one request: OpenAI's limit for `n`."""
MAX_LORAS = 8
"""LoRAs in one request."""
MAX_LORA_WEIGHT = 10.0
"""Most of either sign: LoRAs made as sliders are meant for more than 1, and for less than 0."""
THUMBNAIL_SIDE = 384
"""Pixels of a thumbnail's longer side: a wide picture still fills a row of the page's gallery."""
THUMBNAIL_TYPE = "image/jpeg"


class ImageFormat(enum.StrEnum):
    """How a picture is encoded for its journey and for the client."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"

    @property
    def content_type(self) -> str:
        return f"image/{self.value}"


class InputImage(msgspec.Struct, frozen=True, kw_only=True):
    """A picture to start from, or a mask, kept out of band like a finished picture.

    The bytes are what the client sent: only a worker looks inside.
    """

    key: str
    """`<job>.in-<pool>.<index>`: a device's credentials let it read those of its own pool only."""
    size: int
    """Bytes."""
    parts: int = 1


class Lora(msgspec.Struct, frozen=True, order=True):
    """A small set of weights to add to the model's, and how much of it."""

    name: str
    """One of the model's `loras`."""
    weight: float = 1.0
    """-`MAX_LORA_WEIGHT` … `MAX_LORA_WEIGHT`; 1 as it was trained."""


class GenerateImage(msgspec.Struct, frozen=True, kw_only=True, tag="generate_image"):
    """One request to draw, resolved in full: nothing is left for the worker to choose.

    Field names are diffusers'. Image k of `num_images` is drawn with seed `seed + k` (modulo 2**32), so a request
    repeated after a crash draws the same pictures.
    """

    model: str
    prompt: str
    negative_prompt: str = ""
    width: int
    """Pixels, a multiple of the model's `size_multiple`."""
    height: int
    num_inference_steps: int
    guidance_scale: float
    seed: int
    """0 … 2**32 - 1, chosen by the gateway when the client gave none."""
    num_images: int = 1
    output_format: ImageFormat = ImageFormat.PNG
    output_compression: int = 100
    """JPEG and WebP quality in percent, 0 … 100; PNG is always lossless."""
    init_image: InputImage | None = None
    """Picture to start from, fitted to `width` x `height` by the worker."""
    mask_image: InputImage | None = None
    """Where to paint: transparent pixels if the mask has any, else its white ones. Needs `init_image`."""
    mask_inverted: bool = False
    """Paint where the mask says not to."""
    mask_blur: int = 0
    """Radius in pixels over which the mask's edge is softened."""
    strength: float = 0.8
    """How far to go from `init_image`, 0 … 1: 1 keeps nothing of it where it is painted."""
    scheduler: str = ""
    """One of the model's `schedulers`; empty for its own."""
    deterministic: bool = False
    """Draw it apart from all others, so that the same worker repeats it bit for bit."""
    cache: str = ""
    """One of the model's `caches` with its setting (`deepcache:3`): faster, with some loss; empty for none."""
    loras: tuple[Lora, ...] = ()
    """At most `MAX_LORAS`, each once. A worker that is older than this field offers a model without any."""
    num_previews: int = 0
    """Pictures of the unfinished work to send along, spread evenly over the steps."""

    def image_seed(self, index: int) -> int:
        """The seed of image `index`."""
        return (self.seed + index) % (MAX_SEED + 1)


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What one model can do, as its worker announces it; the gateway resolves and checks requests against it."""

    id: str
    family: str
    """`stable-diffusion`, `stable-diffusion-xl`, `flux`, …"""
    default_width: int
    default_height: int
    size_multiple: int
    """Width and height are rounded to this many pixels."""
    min_size: int
    max_size: int
    """Smallest and largest side in pixels."""
    max_pixels: int
    default_steps: int
    min_steps: int
    max_steps: int
    default_guidance_scale: float
    max_guidance_scale: float
    """Equal to the default where the model was distilled for one value."""
    negative_prompt: bool
    """Whether a negative prompt has any effect."""
    licence: str
    source: str
    """Hub id and revision, or the folder the weights came from."""
    img2img: bool = False
    """Whether it takes an `init_image`."""
    inpaint: bool = False
    """Whether it takes a `mask_image` too."""
    schedulers: tuple[str, ...] = ()
    """What `scheduler` may be, by the names that users know; its own first."""
    caches: tuple[str, ...] = ()
    """Step caches that `cache` may name, each with its usual setting; see `contracts.step_cache`."""
    cache: str = ""
    """What requests that say nothing get; empty for none."""
    allowed_steps: tuple[int, ...] = ()
    """The only numbers of steps that it takes; empty for any from `min_steps` to `max_steps`."""
    loras: tuple[str, ...] = ()
    """Names of the LoRAs that its worker has for it, in order."""
    fixed_size: bool = False
    """Whether `default_width` x `default_height` is all that it draws, so that other sizes are refused, not rounded."""


class PreviewImage(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of unfinished work, small enough to travel inside an event."""

    index: int
    """Of the picture among `num_images`."""
    width: int
    height: int
    """Pixels of the preview, which may be smaller than the picture."""
    content_type: str
    data: bytes


class ImageRef(msgspec.Struct, frozen=True, kw_only=True):
    """One finished picture, kept out of band; `runtime.messaging.image_store` fetches its bytes."""

    key: str
    """`<job>.<attempt>.<index>`"""
    index: int
    seed: int
    width: int
    height: int
    content_type: str
    size: int
    """Bytes, encoded."""
    parts: int = 1
    """Messages that the bytes are split over."""

    @property
    def has_thumbnail(self) -> bool:
        """Whether its worker keeps a smaller one beside it; one that is as small is its own thumbnail."""
        return max(self.width, self.height) > THUMBNAIL_SIDE

    @property
    def thumbnail_key(self) -> str:
        """`<job>.<attempt>.<index>-small`, in the same stream."""
        return f"{self.key}-small"
