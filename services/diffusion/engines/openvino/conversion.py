"""A pipeline's torch modules as OpenVINO graphs, traced with inputs of every dynamic axis."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openvino as ov
import torch
from torch import Tensor

from services.diffusion.engines.openvino import z_image
from services.diffusion.engines.openvino.eight_bits import to_eight_bits
from services.diffusion.engines.preview_network import PreviewBytes, PreviewNetwork

DENOISER, DECODER, ENCODER, PREVIEW = "denoiser", "vae_decoder", "vae_encoder", "preview"
Inputs = dict[str, Tensor]
DynamicAxes = dict[str, tuple[int, ...]]


def convert(denoiser: Any, vae: Any, preview: PreviewNetwork | None, folder: Path, *, eight_bits: bool) -> None:
    """Write the graphs of the float32 modules into `folder`, weights in float16, or the denoiser's in 8 bits.

    The modules are of no use afterwards: tracing changes some.
    """
    for name, module, inputs, axes in _parts(denoiser, vae, preview):
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of every decision by shape; the suite proves the result
            graph = ov.convert_model(module.eval(), example_input=inputs)
        for port, called in zip(graph.inputs, inputs, strict=True):
            port.get_tensor().set_names({called})
        graph.reshape({called: _shape(tensor, axes[called]) for called, tensor in inputs.items()})
        if eight_bits and name == DENOISER:
            to_eight_bits(graph)
        ov.save_model(graph, folder / f"{name}.xml", compress_to_fp16=True)


def _shape(tensor: Tensor, dynamic: tuple[int, ...]) -> ov.PartialShape:
    return ov.PartialShape([-1 if axis in dynamic else size for axis, size in enumerate(tensor.shape)])


def _parts(
    denoiser: Any, vae: Any, preview: PreviewNetwork | None
) -> Iterator[tuple[str, torch.nn.Module, Inputs, DynamicAxes]]:
    yield (DENOISER, *_EXAMPLES[type(denoiser).__name__](denoiser))
    pixels, latents = torch.randn(1, 3, 64, 64), torch.randn(1, vae.config.latent_channels, 8, 8)
    yield DECODER, _Decoder(vae), {"latents": latents}, {"latents": (0, 2, 3)}
    yield ENCODER, _Encoder(vae), {"sample": pixels}, {"sample": (0, 2, 3)}
    if preview is not None:
        yield PREVIEW, PreviewBytes(preview, vae.config), {"latents": latents}, {"latents": (0, 2, 3)}


class _Decoder(torch.nn.Module):
    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, latents: Tensor) -> Any:
        return self.vae.decode(latents, return_dict=False)[0]


class _Encoder(torch.nn.Module):
    """The parameters of the latents' distribution, or the latents where the VAE has none."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, sample: Tensor) -> Any:
        coded = self.vae.encode(sample, return_dict=False)[0]
        return coded if isinstance(coded, Tensor) else coded.parameters


class _UNet(torch.nn.Module):
    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet

    def forward(  # noqa: PLR0917  the inputs of the graph
        self,
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        timestep_cond: Tensor | None = None,
        text_embeds: Tensor | None = None,
        time_ids: Tensor | None = None,
    ) -> Any:
        added = {} if text_embeds is None else {"text_embeds": text_embeds, "time_ids": time_ids}
        return self.unet(
            sample, timestep, encoder_hidden_states, None, timestep_cond, added_cond_kwargs=added, return_dict=False
        )[0]


def _unet(unet: Any) -> tuple[torch.nn.Module, Inputs, DynamicAxes]:
    config = unet.config
    inputs = {
        "sample": torch.randn(2, config.in_channels, 16, 16),
        "timestep": torch.tensor([1.0, 2.0]),  # a number for each picture, not whole: some schedulers go between
        "encoder_hidden_states": torch.randn(2, 77, config.cross_attention_dim),
    }
    axes: DynamicAxes = {"sample": (0, 2, 3), "timestep": (0,), "encoder_hidden_states": (0, 1)}
    if config.time_cond_proj_dim is not None:
        inputs["timestep_cond"], axes["timestep_cond"] = torch.randn(2, config.time_cond_proj_dim), (0,)
    if config.addition_embed_type == "text_time":
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        inputs |= {"text_embeds": torch.randn(2, pooled), "time_ids": torch.randn(2, 6)}
        axes |= {"text_embeds": (0,), "time_ids": (0,)}
    return _UNet(unet), inputs, axes


class _Transformer(torch.nn.Module):
    def __init__(self, transformer: Any) -> None:
        super().__init__()
        self.transformer = transformer


class _SD3(_Transformer):
    def forward(
        self, hidden_states: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, pooled_projections: Tensor
    ) -> Any:
        return self.transformer(
            hidden_states=hidden_states,
            timestep=timestep,
            encoder_hidden_states=encoder_hidden_states,
            pooled_projections=pooled_projections,
            return_dict=False,
        )[0]


class _Flux(_Transformer):
    def forward(  # noqa: PLR0917  the inputs of the graph
        self,
        hidden_states: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        pooled_projections: Tensor,
        img_ids: Tensor,
        txt_ids: Tensor,
        guidance: Tensor | None = None,
    ) -> Any:
        return self.transformer(
            hidden_states=hidden_states,
            timestep=timestep,
            encoder_hidden_states=encoder_hidden_states,
            pooled_projections=pooled_projections,
            img_ids=img_ids,
            txt_ids=txt_ids,
            guidance=guidance,
            return_dict=False,
        )[0]


def _sd3(transformer: Any) -> tuple[torch.nn.Module, Inputs, DynamicAxes]:
    inputs, axes = _conditioned(transformer.config, torch.randn(2, transformer.config.in_channels, 16, 16), (0, 2, 3))
    return _SD3(transformer), inputs, axes


def _flux(transformer: Any) -> tuple[torch.nn.Module, Inputs, DynamicAxes]:
    inputs, axes = _conditioned(transformer.config, torch.randn(2, 16, transformer.config.in_channels), (0, 1))
    inputs |= {"img_ids": torch.zeros(16, 3), "txt_ids": torch.zeros(100, 3)}
    axes |= {"img_ids": (0,), "txt_ids": (0,)}
    if transformer.config.guidance_embeds:
        inputs["guidance"], axes["guidance"] = torch.ones(2), (0,)
    return _Flux(transformer), inputs, axes


def _conditioned(config: Any, hidden: Tensor, dynamic: tuple[int, ...]) -> tuple[Inputs, DynamicAxes]:
    inputs = {
        "hidden_states": hidden,
        "timestep": torch.rand(2),
        "encoder_hidden_states": torch.randn(2, 100, config.joint_attention_dim),
        "pooled_projections": torch.randn(2, config.pooled_projection_dim),
    }
    axes: DynamicAxes = {
        "hidden_states": dynamic,
        "timestep": (0,),
        "encoder_hidden_states": (0, 1),
        "pooled_projections": (0,),
    }
    return inputs, axes


def _z_image(transformer: Any) -> tuple[torch.nn.Module, Inputs, DynamicAxes]:
    config = transformer.config
    latents, words = torch.randn(2, config.in_channels, 8, 12), torch.randn(2, 40, config.cap_feat_dim)
    inputs = z_image.graph_inputs(latents, torch.rand(2), words, z_image.Positions(config))
    axes: DynamicAxes = {name: (0, 1) if name in ("patches", "words") else (0,) for name in inputs}
    return z_image.Graph(transformer), inputs, axes


_EXAMPLES: dict[str, Callable[[Any], tuple[torch.nn.Module, Inputs, DynamicAxes]]] = {
    "UNet2DConditionModel": _unet,
    "SD3Transformer2DModel": _sd3,
    "FluxTransformer2DModel": _flux,
    "ZImageTransformer2DModel": _z_image,
}
