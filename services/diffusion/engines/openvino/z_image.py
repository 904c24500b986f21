"""Z-Image's transformer as one graph of tensors.

Diffusers' forward takes lists and turns positions into complex numbers. Here patches, padding and rotary tables are
made outside, by the rules of its `ZImageTransformer2DModel`, and the graph takes pictures of one size with prompts of
one length.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from diffusers.models.transformers.transformer_z_image import SEQ_MULTI_OF, RopeEmbedder, ZImageTransformerBlock
from torch import Tensor

PATCH = 2
"""Pixels of the latents on a patch's side."""


class Positions:
    """Rotary tables (tokens, half of a head, 2) by token position."""

    def __init__(self, config: Any) -> None:
        self._embedder = RopeEmbedder(config.rope_theta, config.axes_dims, config.axes_lens)

    def words(self, count: int) -> Tensor:
        """Prompt tokens lie on the first axis, from 1, padding included."""
        places = torch.zeros(_padded(count), 3, dtype=torch.long)
        places[:, 0] = torch.arange(1, len(places) + 1)
        return torch.view_as_real(self._embedder(places))

    def patches(self, high: int, wide: int, words: int) -> Tensor:
        """Patches lie behind the prompt on the first axis, in rows and columns on the others; padding lies at zero."""
        places = torch.zeros(_padded(high * wide), 3, dtype=torch.long)
        down, across = torch.meshgrid(torch.arange(high), torch.arange(wide), indexing="ij")
        places[: high * wide, 0] = _padded(words) + 1
        places[: high * wide, 1] = down.flatten()
        places[: high * wide, 2] = across.flatten()
        return torch.view_as_real(self._embedder(places))


def graph_inputs(latents: Tensor, timestep: Tensor, words: Tensor, positions: Positions) -> dict[str, Tensor]:
    """What `Graph` takes, for latents (pictures, channels, height, width) and words (pictures, tokens, width)."""
    patches = _to_patches(latents)
    high, wide = latents.shape[2] // PATCH, latents.shape[3] // PATCH
    return {
        "patches": _pad(patches),
        "timestep": timestep,
        "words": _pad(words),
        "padded_patches": _padding(patches.shape[1]),
        "padded_words": _padding(words.shape[1]),
        "patch_places": positions.patches(high, wide, words.shape[1]),
        "word_places": positions.words(words.shape[1]),
    }


class Graph(torch.nn.Module):
    """Traced once. It changes `transformer`'s attention, which is of no use for anything else afterwards."""

    def __init__(self, transformer: Any) -> None:
        super().__init__()
        self.net = transformer
        for block in transformer.modules():
            if isinstance(block, ZImageTransformerBlock):
                block.attention.set_processor(cast(Any, _Attention()))

    def forward(  # noqa: PLR0917  the inputs of the graph
        self,
        patches: Tensor,
        timestep: Tensor,
        words: Tensor,
        padded_patches: Tensor,
        padded_words: Tensor,
        patch_places: Tensor,
        word_places: Tensor,
    ) -> Tensor:
        net, key = self.net, f"{PATCH}-1"
        when = net.t_embedder(timestep * net.t_scale)
        picture = _blend(net.all_x_embedder[key](patches), net.x_pad_token, padded_patches)
        for layer in net.noise_refiner:
            picture = layer(picture, None, patch_places, when)
        text = _blend(net.cap_embedder(words), net.cap_pad_token, padded_words)
        for layer in net.context_refiner:
            text = layer(text, None, word_places)
        both, places = torch.cat([picture, text], 1), torch.cat([patch_places, word_places])
        for layer in net.layers:
            both = layer(both, None, places, when)
        out: Tensor = net.all_final_layer[key](both, c=when)
        return out


class _Attention:
    """Attention whose rotation needs no complex numbers."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,  # noqa: ARG002  the caller's signature
        attention_mask: Tensor | None = None,  # noqa: ARG002  nothing is masked: prompts are of one length
        freqs_cis: Tensor | None = None,
    ) -> Tensor:
        query, key, value = (
            to(hidden_states).unflatten(-1, (attn.heads, -1)) for to in (attn.to_q, attn.to_k, attn.to_v)
        )
        if attn.norm_q is not None:
            query, key = attn.norm_q(query), attn.norm_k(key)
        query, key = _rotated(query, freqs_cis), _rotated(key, freqs_cis)
        query, key, value = (it.transpose(1, 2) for it in (query, key, value))
        seen = torch.nn.functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = attn.to_out[0](seen.transpose(1, 2).flatten(2))
        return out


def _rotated(vectors: Tensor, places: Any) -> Tensor:
    """(pictures, tokens, heads, width), neighbours taken as a plane, by places (tokens, width / 2, 2)."""
    real, imaginary = vectors.reshape(*vectors.shape[:-1], -1, 2).unbind(-1)
    cosine, sine = places.unsqueeze(1).unbind(-1)
    turned = (real * cosine - imaginary * sine, real * sine + imaginary * cosine)
    return torch.stack(turned, -1).flatten(-2)


def _blend(tokens: Tensor, pad: Tensor, padded: Tensor) -> Tensor:
    return torch.where(padded[None, :, None] > 0, pad[None], tokens)


def _to_patches(latents: Tensor) -> Tensor:
    pictures, channels, high, wide = latents.shape
    split = latents.reshape(pictures, channels, high // PATCH, PATCH, wide // PATCH, PATCH)
    return split.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)


def from_patches(patches: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Latents of `shape` from the graph's tokens, of which the patches are the first."""
    pictures, channels, high, wide = shape
    rows, columns = high // PATCH, wide // PATCH
    grid = patches[:, : rows * columns].reshape(pictures, rows, columns, PATCH, PATCH, channels)
    return grid.permute(0, 5, 1, 3, 2, 4).reshape(shape)


def _padded(count: int) -> int:
    return count + -count % SEQ_MULTI_OF


def _pad(tokens: Tensor) -> Tensor:
    return torch.nn.functional.pad(tokens, (0, 0, 0, -tokens.shape[1] % SEQ_MULTI_OF))


def _padding(count: int) -> Tensor:
    return (torch.arange(_padded(count)) >= count).float()
