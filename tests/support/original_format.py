"""A tiny Stable Diffusion or SDXL pipeline as one file in the original format: what trainers' tools write.

The names are those that diffusers' `from_single_file` reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

Tensors = dict[str, Tensor]
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
OPEN_CLIP = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def write(pipe: Any, file: Path) -> Path:
    """`pipe` in `file`, in its own dtype."""
    found = dict(_named("model.diffusion_model.", _unet(pipe.unet)))
    found |= _named("first_stage_model.", _vae(pipe.vae))
    first = "conditioner.embedders.0" if hasattr(pipe, "text_encoder_2") else "cond_stage_model"
    found |= _named(f"{first}.transformer.text_model.", _plain_clip(pipe.text_encoder))
    if hasattr(pipe, "text_encoder_2"):
        found |= _named("conditioner.embedders.1.model.", _open_clip(pipe.text_encoder_2))
    found |= _beside(first)
    save_file({name: tensor.contiguous().clone() for name, tensor in found.items()}, file)
    return file


def _beside(first: str) -> Tensors:
    """What published files hold as well, and no part of the pipeline is made of."""
    return {
        f"{first}.transformer.text_model.embeddings.position_ids": torch.arange(77)[None],
        "conditioner.embedders.1.model.logit_scale": torch.ones(()),
        "model_ema.decay": torch.ones(()),
        "alphas_cumprod": torch.ones(1000),
    }


def _named(prefix: str, tensors: Tensors) -> Iterator[tuple[str, Tensor]]:
    return ((prefix + name, tensor) for name, tensor in tensors.items())


def _replaced(name: str, words: dict[str, str]) -> str:
    for ours, theirs in words.items():
        if name.startswith(f"{ours}."):
            return theirs + name.removeprefix(ours)
    return name


def _unet(unet: Any) -> Tensors:
    layers = unet.config.layers_per_block
    return {_unet_name(name, layers, unet): tensor for name, tensor in unet.state_dict().items()}


def _unet_name(name: str, layers: int, unet: Any) -> str:
    match = re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.(.*)", name)
    if match:
        side, level, part, index, rest = match[1], int(match[2]), match[3], int(match[4]), match[5]
        if part == "downsamplers":
            return f"input_blocks.{(level + 1) * (layers + 1)}.0.op.{rest.removeprefix('conv.')}"
        if side == "down":
            block = f"input_blocks.{1 + level * (layers + 1) + index}"
        else:
            block = f"output_blocks.{level * (layers + 1) + (layers if part == 'upsamplers' else index)}"
        if part == "upsamplers":
            return f"{block}.{2 if hasattr(unet.up_blocks[level], 'attentions') else 1}.{rest}"
        return f"{block}.0.{_replaced(rest, RESNET)}" if part == "resnets" else f"{block}.1.{rest}"
    match = re.match(r"mid_block\.(resnets|attentions)\.(\d+)\.(.*)", name)
    if match:
        place = 1 if match[1] == "attentions" else 2 * int(match[2])
        return f"middle_block.{place}.{_replaced(match[3], RESNET) if match[1] == 'resnets' else match[3]}"
    return _replaced(name, UNET_ENDS)


def _vae(vae: Any) -> Tensors:
    levels = len(vae.config.block_out_channels)
    found = {}
    for name, tensor in vae.state_dict().items():
        theirs = _vae_name(name, levels)
        is_projection = ".attn_1." in theirs and "norm" not in theirs and theirs.endswith("weight")
        found[theirs] = tensor[:, :, None, None] if is_projection else tensor
    return found


def _vae_name(name: str, levels: int) -> str:
    match = re.match(
        r"(encoder|decoder)\.(?:down|up)_blocks\.(\d+)\.(resnets|downsamplers|upsamplers)\.(\d+)\.(.*)", name
    )
    if match:
        side, level, part, index, rest = match[1], int(match[2]), match[3], match[4], match[5]
        at = f"encoder.down.{level}" if side == "encoder" else f"decoder.up.{levels - 1 - level}"
        if part != "resnets":
            return f"{at}.{'downsample' if side == 'encoder' else 'upsample'}.{rest}"
        return f"{at}.block.{index}.{rest.replace('conv_shortcut', 'nin_shortcut')}"
    match = re.match(r"(encoder|decoder)\.mid_block\.(resnets|attentions)\.(\d+)\.(.*)", name)
    if match:
        if match[2] == "attentions":
            return f"{match[1]}.mid.attn_1.{_replaced(match[4], VAE_ATTENTION)}"
        return f"{match[1]}.mid.block_{int(match[3]) + 1}.{match[4]}"
    return name.replace("conv_norm_out", "norm_out")


def _plain_clip(encoder: Any) -> Tensors:
    return {name.removeprefix("text_model."): tensor for name, tensor in encoder.state_dict().items()}


def _open_clip(encoder: Any) -> Tensors:
    """OpenCLIP keeps the three projections of an attention in one tensor, and its own the other way round."""
    tensors = _plain_clip(encoder)
    found = {
        "token_embedding.weight": tensors["embeddings.token_embedding.weight"],
        "positional_embedding": tensors["embeddings.position_embedding.weight"],
        "ln_final.weight": tensors["final_layer_norm.weight"],
        "ln_final.bias": tensors["final_layer_norm.bias"],
        "text_projection": tensors["text_projection.weight"].T,
    }
    for layer in range(encoder.config.num_hidden_layers):
        ours, theirs = f"encoder.layers.{layer}.", f"transformer.resblocks.{layer}."
        for kind in ("weight", "bias"):
            parts = [tensors[f"{ours}self_attn.{which}_proj.{kind}"] for which in "qkv"]
            found[f"{theirs}attn.in_proj_{kind}"] = torch.cat(parts)
            found |= {f"{theirs}{its}.{kind}": tensors[f"{ours}{name}.{kind}"] for name, its in OPEN_CLIP.items()}
    return found
