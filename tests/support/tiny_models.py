"""Pipelines of every family with random weights, a megabyte each: real classes, real folders, pictures in milliseconds.

`build(family, folder)` writes one in diffusers format. Every VAE has four levels, so that a latent is an eighth of the
picture as in the real models.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

SEED = 0
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def build(family: str, folder: Path) -> Path:
    """Write the tiny model of `family` to `folder`, with 64x64 as its default size."""
    torch.manual_seed(SEED)
    PIPELINES[family]().save_pretrained(folder, safe_serialization=True)
    limits = {"width": 64, "height": 64, "min_size": 32, "max_size": 256, "license": "none", "num_inference_steps": 3}
    (folder / "easel.json").write_text(json.dumps(limits))
    return folder


def _byte_letters() -> list[str]:
    """The 256 letters that byte-level tokenizers write bytes with."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain} | {byte: chr(256 + index) for index, byte in enumerate(rest)}
    return [letters[byte] for byte in range(256)]


def _clip_tokenizer(pad: str = "<|endoftext|>") -> Any:
    letters = _byte_letters()
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return transformers.CLIPTokenizer(vocab=vocabulary, merges=[], pad_token=pad, model_max_length=77)


def _clip(width: int = 32, *, projected: bool = False) -> Any:
    """The end token must be the tokenizer's own: the pooled embedding is taken there."""
    config = transformers.CLIPTextConfig(
        vocab_size=514,
        hidden_size=width,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        projection_dim=width,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
    )
    kind = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    return kind(config).eval()


def _t5(width: int) -> tuple[Any, Any]:
    pieces = ["<pad>", "</s>", "<unk>", "\u2581", *map(chr, range(33, 127))]
    scored = [(piece, 0.0 if index < 3 else -2.0) for index, piece in enumerate(pieces)]
    tokenizer = transformers.T5TokenizerFast(vocab=scored, extra_ids=0, model_max_length=512)
    config = transformers.T5Config(
        vocab_size=len(pieces),
        d_model=width,
        d_kv=8,
        d_ff=37,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    return tokenizer, transformers.T5EncoderModel(config).eval()


def _qwen() -> tuple[Any, Any]:
    tokens = [*_byte_letters(), "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = transformers.Qwen2Tokenizer(
        vocab={token: index for index, token in enumerate(tokens)},
        merges=[],
        model_max_length=1024,
        extra_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    config = transformers.Qwen3Config(
        vocab_size=len(tokens),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=1024,
    )
    return tokenizer, transformers.Qwen3Model(config).eval()


def _vae(channels: int = 4, **config: Any) -> Any:
    quantized = channels == 4
    return diffusers.AutoencoderKL(
        latent_channels=channels,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=64,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        use_quant_conv=quantized,
        use_post_quant_conv=quantized,
        **config,
    ).eval()


def _unet(**config: Any) -> Any:
    return diffusers.UNet2DConditionModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(16, 32),
        norm_num_groups=8,
        **config,
    ).eval()


def _sd15_unet(**config: Any) -> Any:
    return _unet(
        cross_attention_dim=32,
        attention_head_dim=4,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        **config,
    )


def stable_diffusion() -> Any:
    """With PNDM, as 1.4 and 1.5 come: it calls back once more than the steps asked."""
    scheduler = diffusers.PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    return diffusers.StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=_clip(),
        tokenizer=_clip_tokenizer(),
        unet=_sd15_unet(),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def latent_consistency() -> Any:
    return diffusers.LatentConsistencyModelPipeline(
        vae=_vae(),
        text_encoder=_clip(),
        tokenizer=_clip_tokenizer(),
        unet=_sd15_unet(time_cond_proj_dim=16),
        scheduler=diffusers.LCMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def stable_diffusion_xl() -> Any:
    """`cross_attention_dim` is the sum of both text encoders; the time ids add 6 x 8 to the projection's 48.

    The encoders differ in width, by which diffusers tells them apart in a single file.
    """
    unet = _unet(
        cross_attention_dim=32 + 48,
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        transformer_layers_per_block=(1, 2),
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 48,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    return diffusers.StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=_clip(),
        text_encoder_2=_clip(48, projected=True),
        tokenizer=_clip_tokenizer(),
        tokenizer_2=_clip_tokenizer("!"),
        unet=unet,
        scheduler=diffusers.EulerDiscreteScheduler(timestep_spacing="leading", steps_offset=1),
        add_watermarker=False,
    )


def stable_diffusion_3() -> Any:
    """`joint_attention_dim` is T5's width, `pooled_projection_dim` the sum of both projections."""
    tokenizer, encoder = _t5(64)
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=32,
        in_channels=16,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=64,
        caption_projection_dim=32,
        pooled_projection_dim=64,
        pos_embed_max_size=32,
        qk_norm="rms_norm",
    ).eval()
    return diffusers.StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(16, scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=_clip(projected=True),
        tokenizer=_clip_tokenizer(),
        text_encoder_2=_clip(projected=True),
        tokenizer_2=_clip_tokenizer("!"),
        text_encoder_3=encoder,
        tokenizer_3=tokenizer,
    )


def flux(*, schnell: bool) -> Any:
    """`attention_head_dim` is the sum of the rotary axes, `in_channels` four latents of the VAE."""
    tokenizer, encoder = _t5(32)
    transformer = diffusers.FluxTransformer2DModel(
        in_channels=64,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        guidance_embeds=not schnell,
        axes_dims_rope=(4, 4, 8),
    ).eval()
    return diffusers.FluxPipeline(
        transformer=transformer,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(
            shift=1.0 if schnell else 3.0, use_dynamic_shifting=not schnell
        ),
        vae=_vae(16, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=_clip(),
        tokenizer=_clip_tokenizer(),
        text_encoder_2=encoder,
        tokenizer_2=tokenizer,
    )


def z_image() -> Any:
    """The transformer leaves its pad tokens as memory came: they are set here, or pictures would change by the run."""
    tokenizer, encoder = _qwen()
    transformer = diffusers.ZImageTransformer2DModel(
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=32,
        axes_dims=[4, 4, 8],
        axes_lens=[1024, 64, 64],
    ).eval()
    for name in ("x_pad_token", "cap_pad_token"):
        torch.nn.init.normal_(getattr(transformer, name), std=0.02)
    return diffusers.ZImagePipeline(
        transformer=transformer,
        vae=_vae(16, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=encoder,
        tokenizer=tokenizer,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


PIPELINES: dict[str, Callable[[], Any]] = {
    "stable-diffusion": stable_diffusion,
    "latent-consistency": latent_consistency,
    "stable-diffusion-xl": stable_diffusion_xl,
    "stable-diffusion-3": stable_diffusion_3,
    "flux-dev": lambda: flux(schnell=False),
    "flux-schnell": lambda: flux(schnell=True),
    "z-image": z_image,
}
