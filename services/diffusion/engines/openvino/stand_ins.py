"""What a diffusers pipeline sees in the place of its torch modules: the same calls and attributes over a `Network`."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTinyOutput
from diffusers.models.autoencoders.vae import DecoderOutput, DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput
from torch import Tensor

from runtime.worker.images.engine import Pixels
from services.diffusion.engines.loras.terms import NO_TERMS, Terms
from services.diffusion.engines.openvino import z_image
from services.diffusion.engines.openvino.merging import merge
from services.diffusion.engines.openvino.network import Network


class StandIn(torch.nn.Module):
    """Pipelines ask each part for its configuration, its dtype and where it is."""

    dtype = torch.float32
    device = torch.device("cpu")

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config


class Denoiser(StandIn):
    """Satisfies `services.diffusion.engines.loras.terms.Wearer`.

    LoRAs are merged into a copy of the graph, compiled when it is first worn; the last copy is kept beside the plain
    graph. `layers` is the torch module in whose place it stands, without weights.
    """

    def __init__(self, network: Network, layers: Any) -> None:
        super().__init__(layers.config)
        object.__setattr__(self, "layers", layers)  # not a submodule: its weights are nowhere
        self._plain = self._network = network
        self._merged: tuple[Terms, Network] | None = None

    @property
    def growth(self) -> int:
        return self._plain.nbytes

    def wear(self, terms: Terms) -> None:
        if terms is NO_TERMS:
            self._network = self._plain
            return
        if self._merged is None or self._merged[0] is not terms:
            self._network, self._merged = self._plain, None  # the copy before leaves first
            self._merged = terms, self._plain.changed(lambda graph: merge(graph, terms))
        self._network = self._merged[1]


class UNet(Denoiser):
    """In the place of `UNet2DConditionModel`."""

    def __init__(self, network: Network, layers: Any) -> None:
        super().__init__(network, layers)
        config = self.config
        if config.addition_embed_type == "text_time":  # SDXL's pipeline checks its inputs against this
            width = config.projection_class_embeddings_input_dim
            self.add_embedding = SimpleNamespace(linear_1=SimpleNamespace(in_features=width))

    def forward(
        self,
        sample: Tensor,
        timestep: Any,
        encoder_hidden_states: Tensor,
        timestep_cond: Tensor | None = None,
        added_cond_kwargs: dict[str, Tensor] | None = None,
        **_unused: Any,
    ) -> tuple[Tensor]:
        pictures = len(sample)
        inputs = {
            "sample": sample,
            "timestep": _for_each(timestep, pictures),
            "encoder_hidden_states": encoder_hidden_states,
            **(added_cond_kwargs or {}),
        }
        if timestep_cond is not None:
            inputs["timestep_cond"] = timestep_cond.expand(pictures, -1)
        return (self._network(**inputs),)


class Transformer(Denoiser):
    """In the place of `SD3Transformer2DModel` and `FluxTransformer2DModel`."""

    def forward(self, hidden_states: Tensor, timestep: Any, **others: Any) -> tuple[Tensor]:
        inputs = {name: value for name, value in others.items() if isinstance(value, Tensor)}
        inputs |= {"hidden_states": hidden_states, "timestep": _for_each(timestep, len(hidden_states))}
        return (self._network(**inputs),)

    def cache_context(self, _name: str) -> contextlib.AbstractContextManager[None]:
        """Step caches do not reach into a compiled graph."""
        return contextlib.nullcontext()


class ZImageTransformer(Denoiser):
    """In the place of `ZImageTransformer2DModel`, which takes lists: prompts differ in length."""

    def __init__(self, network: Network, layers: Any) -> None:
        super().__init__(network, layers)
        self._positions = z_image.Positions(self.config)
        self.in_channels = self.config.in_channels

    def forward(self, x: list[Tensor], t: Tensor, cap_feats: list[Tensor], **_unused: Any) -> tuple[list[Tensor]]:
        """One call for all pictures whose prompts are of one length."""
        times = _for_each(t, len(x))
        drawn: dict[int, Tensor] = {}
        for length in sorted({len(words) for words in cap_feats}):
            alike = [index for index, words in enumerate(cap_feats) if len(words) == length]
            latents = torch.stack([x[index].squeeze(1) for index in alike])
            words = torch.stack([cap_feats[index] for index in alike])
            inputs = z_image.graph_inputs(latents, times[alike], words, self._positions)
            made = z_image.from_patches(self._network(**inputs), latents.shape)
            drawn |= dict(zip(alike, made, strict=True))
        return ([drawn[index].unsqueeze(1) for index in range(len(x))],)


class Vae(StandIn):
    """In the place of `AutoencoderKL` and `AutoencoderTiny`."""

    def __init__(self, decoder: Network, encoder: Network, config: Any) -> None:
        super().__init__(config)
        self._decoder = decoder
        self._encoder = encoder

    def decode(self, z: Tensor, return_dict: bool = True, **_unused: Any) -> Any:
        """One picture at a time: less memory, and each decoded as it would be alone."""
        sample = torch.cat([self._decoder(latents=one) for one in torch.split(z, 1)])
        return DecoderOutput(sample=sample) if return_dict else (sample,)

    def encode(self, x: Tensor, return_dict: bool = True, **_unused: Any) -> Any:
        coded = torch.cat([self._encoder(sample=one) for one in torch.split(x, 1)])
        if "latent_magnitude" in self.config:  # a tiny one codes to latents, the other to their distribution
            return AutoencoderTinyOutput(latents=coded) if return_dict else (coded,)
        distribution = DiagonalGaussianDistribution(coded)
        return AutoencoderKLOutput(latent_dist=distribution) if return_dict else (distribution,)


class Preview:
    """In the place of `TorchPreview`: one picture at a time, so that sizes alone are shapes to compile for."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, latents: Tensor) -> list[Pixels]:
        """Without a call of torch's that wakes OpenMP: its threads would spin on where the next step wants to run."""
        return [self._network(latents=one)[0].numpy() for one in torch.split(latents, 1)]


def _for_each(value: Any, pictures: int) -> Tensor:
    """A timestep, of any form, as one number for each picture."""
    flat = torch.as_tensor(value).float().reshape(-1)
    return flat.expand(pictures) if len(flat) == 1 else flat
