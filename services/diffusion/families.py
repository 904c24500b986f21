"""The model families that Easel can draw with: what their pipelines take and what holds for a model that says nothing.

A family is found by the `_class_name` of a folder's model_index.json. Facts about single models are in catalogue.toml,
about a folder in its easel.json; `Limits` is the shape of all three.
"""

from __future__ import annotations

from typing import Self

import msgspec

from services.diffusion.schedulers import CONSISTENCY, FLOW, NOISE, Scheduler

GUIDANCE_LIMIT = 30.0
"""Highest guidance scale of models that are guided at all."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Defaults and limits of a model. None: said elsewhere (entry before folder before family)."""

    num_inference_steps: int | None = None
    steps_range: tuple[int, int] | None = None
    guidance_scale: float | None = None
    max_guidance_scale: float | None = None
    width: int | None = None
    height: int | None = None
    size_multiple: int | None = None
    min_size: int | None = None
    max_size: int | None = None
    max_pixels: int | None = None
    native_side: int | None = None
    """The short side that every picture is drawn with, where a model was trained at one size only."""
    license: str | None = None
    revision: str | None = None
    schedulers: tuple[str, ...] | None = None
    """What requests may ask for, the model's own first."""
    cache: str | None = None
    """A step cache for requests that name none, on torch; `contracts.step_cache` has the names."""

    def or_else(self, other: Limits) -> Limits:
        """What is said here, and what `other` says about the rest."""
        names = Limits.__struct_fields__
        own = {name: getattr(self, name) for name in names}
        return Limits(**{name: getattr(other, name) if value is None else value for name, value in own.items()})

    @classmethod
    def square(cls, side: int, **rest: object) -> Self:
        """A default of `side` x `side` pixels."""
        return msgspec.convert({"width": side, "height": side, **rest}, cls)


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """What models of one architecture share."""

    name: str
    pipeline: str
    """diffusers' text-to-image class, as model_index.json names it."""
    image_to_image: str
    """Its class that starts from a picture."""
    inpaint: str = ""
    """Its class that paints within a mask; empty where there is none."""
    limits: Limits
    schedulers: dict[str, Scheduler]
    half: str
    """16-bit dtype that the family bears: UNets were trained for float16, transformers overflow in it."""
    negative_prompt: bool = True
    """Whether the pipeline takes one; it has an effect only where guidance may exceed `guided_above`."""
    guided_above: float = 1.0
    """Guidance scale above which the pipeline runs the negative prompt too."""
    lora_layout: str
    """Equal for families whose denoisers are of one architecture, so that LoRAs may fit both."""
    caches: tuple[str, ...] = ()
    """Step caches that its denoiser can have on torch, each with its usual setting."""
    lora_widths: tuple[int, ...] = ()
    """Of the published models: a UNet's text (`cross_attention_dim`), a transformer's tokens. Empty for any."""
    max_prompt_tokens: int | None = None
    """The pipeline's `max_sequence_length`; None where it has none."""


_UNET = Limits.square(
    512,
    num_inference_steps=50,
    steps_range=(1, 150),
    guidance_scale=7.5,
    max_guidance_scale=GUIDANCE_LIMIT,
    size_multiple=8,
    min_size=256,
    max_size=1024,
    license="unknown",
    schedulers=("PLMS", *(name for name in NOISE if name != "PLMS")),
)
_LARGE = Limits.square(
    1024,
    size_multiple=16,
    steps_range=(1, 100),
    min_size=256,
    max_size=2048,
    max_pixels=2_097_152,
    schedulers=tuple(FLOW),
).or_else(_UNET)

DEEP = ("deepcache:3",)
"""For UNets: most of a step is far from the picture, where little changes from one step to the next."""
FIRST_BLOCK = ("first_block_cache:0.05",)
"""For transformers, with diffusers' own default."""

FAMILIES = (
    Family(
        name="stable-diffusion",
        lora_layout="unet",
        lora_widths=(768,),
        pipeline="StableDiffusionPipeline",
        image_to_image="StableDiffusionImg2ImgPipeline",
        inpaint="StableDiffusionInpaintPipeline",
        limits=_UNET,
        schedulers=NOISE,
        half="float16",
        caches=DEEP,
    ),
    Family(
        name="latent-consistency",
        lora_layout="unet",
        lora_widths=(768,),
        pipeline="LatentConsistencyModelPipeline",
        image_to_image="LatentConsistencyModelImg2ImgPipeline",
        schedulers=CONSISTENCY,
        limits=Limits(
            num_inference_steps=4,
            steps_range=(1, 50),
            guidance_scale=8.5,
            max_guidance_scale=20,
            schedulers=tuple(CONSISTENCY),
        ).or_else(_UNET),
        half="float16",
        negative_prompt=False,
    ),
    Family(
        name="stable-diffusion-xl",
        lora_layout="unet",
        lora_widths=(2048,),
        pipeline="StableDiffusionXLPipeline",
        image_to_image="StableDiffusionXLImg2ImgPipeline",
        inpaint="StableDiffusionXLInpaintPipeline",
        schedulers=NOISE,
        limits=Limits(
            guidance_scale=5.0, size_multiple=8, schedulers=("Euler", *(name for name in NOISE if name != "Euler"))
        ).or_else(_LARGE),
        half="float16",
        caches=DEEP,
    ),
    Family(
        name="stable-diffusion-3",
        lora_layout="stable-diffusion-3",
        lora_widths=(1536, 2432),
        pipeline="StableDiffusion3Pipeline",
        image_to_image="StableDiffusion3Img2ImgPipeline",
        inpaint="StableDiffusion3InpaintPipeline",
        schedulers=FLOW,
        limits=Limits(num_inference_steps=28, guidance_scale=7.0).or_else(_LARGE),
        half="bfloat16",
        caches=FIRST_BLOCK,
        max_prompt_tokens=256,
    ),
    Family(
        name="flux",
        lora_layout="flux",
        lora_widths=(3072,),
        pipeline="FluxPipeline",
        image_to_image="FluxImg2ImgPipeline",
        inpaint="FluxInpaintPipeline",
        schedulers=FLOW,
        limits=Limits(num_inference_steps=28, guidance_scale=3.5).or_else(_LARGE),
        half="bfloat16",
        caches=FIRST_BLOCK,
        negative_prompt=False,
        max_prompt_tokens=512,
    ),
    Family(
        name="z-image",
        lora_layout="z-image",
        lora_widths=(3840,),
        pipeline="ZImagePipeline",
        image_to_image="ZImageImg2ImgPipeline",
        inpaint="ZImageInpaintPipeline",
        schedulers=FLOW,
        limits=Limits(num_inference_steps=28, guidance_scale=4.0, max_pixels=4_194_304).or_else(_LARGE),
        half="bfloat16",
        caches=FIRST_BLOCK,
        guided_above=0.0,
        max_prompt_tokens=512,
    ),
)

FLUX_SCHNELL = Limits(num_inference_steps=4, steps_range=(1, 50), guidance_scale=0.0, max_guidance_scale=0.0)
"""A Flux transformer without guidance embedding was distilled for few steps."""
FLUX_SCHNELL_PROMPT_TOKENS = 256

by_name = {family.name: family for family in FAMILIES}
by_pipeline = {family.pipeline: family for family in FAMILIES}
