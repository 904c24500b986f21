"""Prompt to picture through four graphs of one fixed size: text encoder, denoiser, VAE decoder and encoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from contracts.errors import EaselError, ErrorCode
from services.axera_edge.description import ModelFiles
from services.axera_edge.noise import Array, TorchNoise
from services.axera_edge.schedulers import SCHEDULERS, Place, Stepped
from services.axera_edge.sessions.session import Graph, Session
from services.axera_edge.tokenizer import PromptTokenizer

_TIME_NAMES = ("/down_blocks.0/resnets.0/act_1/Mul_output_0", "time_embedding", "timestep")
_SAMPLED_CHANNELS = 2
"""A VAE encoder that gives mean and log-variance has so many times the latents' channels."""


class Words(NamedTuple):
    """What a picture shall show, as the denoiser reads it; both float32 (1, tokens, width)."""

    prompt: Array
    negative: Array | None
    """What it shall not show; None: unguided, which takes half the time."""
    guidance_scale: float


class Pipeline:
    """A loaded model. One caller at a time, always from the same thread."""

    def __init__(self, files: ModelFiles, open_session: Callable[[Path], Session]) -> None:
        """Raises EaselError, ENGINE_FAILED, when a file is missing, damaged or of another model."""
        it = self.description = files.description
        self._scheduler = SCHEDULERS[it.scheduler](it.schedule)
        self._tokenize = PromptTokenizer(files.tokenizer, it.tokens)
        self._text_encoder = Graph(files.text_encoder, open_session(files.text_encoder), tokens=("input_ids",))
        self._unet = Graph(
            files.unet,
            open_session(files.unet),
            latents=("sample",),
            embeddings=("encoder_hidden_states",),
            time=_TIME_NAMES,
        )
        self._decoder = Graph(files.vae_decoder, open_session(files.vae_decoder), latents=("x", "latent"))
        self._encoder = (
            Graph(files.vae_encoder, open_session(files.vae_encoder), pixels=("image_sample", "x"))
            if files.vae_encoder
            else None
        )
        self._time_table = _time_table(files, self._unet)
        self._text_encoder.expect("tokens", (1, it.tokens))
        self._unet.expect("latents", it.latents_shape)
        self._decoder.expect("latents", it.latents_shape)
        if self._encoder:
            self._encoder.expect("pixels", (1, 3, it.height, it.width))

    def encode_words(self, prompt: str, negative_prompt: str, guidance_scale: float) -> Words:
        """Read the prompts; guided above a scale of 1."""
        negative = self._encode(negative_prompt) if guidance_scale > 1 else None
        return Words(self._encode(prompt), negative, guidance_scale)

    def _encode(self, prompt: str) -> Array:
        return self._text_encoder(tokens=self._tokenize(prompt))

    def encode_image(self, image: Image.Image, noise: TorchNoise) -> Array:
        """An RGB picture of the model's size to latents as the denoiser knows them; draws from `noise` if it samples.

        Raises:
            EaselError: UNSUPPORTED, this model has no encoder.
        """
        if self._encoder is None:
            message = f"{self.description.id} has no VAE encoder here, so it takes no picture to start from"
            raise EaselError(ErrorCode.UNSUPPORTED, message, param="init_image")
        pixels = np.asarray(image, np.float32).transpose(2, 0, 1)[None] / np.float32(127.5) - np.float32(1)
        found = self._encoder(pixels=pixels)
        if found.shape[1] == _SAMPLED_CHANNELS * self.description.latent_channels:
            mean, log_variance = np.split(found, _SAMPLED_CHANNELS, axis=1)
            found = mean + np.exp(np.clip(log_variance, -30, 20) / 2) * noise.normal(mean.shape)
        return found * np.float32(self.description.scaling_factor)

    def places(self, steps: int, strength: float | None) -> list[Place]:
        """The steps to take: all of `steps` from noise, or the last of them from a picture.

        Raises:
            EaselError: UNSUPPORTED, a timestep that is not in the model's table.
        """
        places = self._scheduler.places(steps)
        if strength is not None:
            places = places[-self._scheduler.kept_steps(steps, strength) :]
        missing = [place.timestep for place in places if place.timestep not in self._time_table]
        if missing:
            message = f"{steps} steps need the timesteps {missing}, which {self.description.id} has no embeddings for"
            raise EaselError(ErrorCode.UNSUPPORTED, message, param="num_inference_steps")
        return places

    def begin(self, noise: TorchNoise, place: Place, start: Array | None) -> Array:
        """Latents at the first place: noise alone, or the picture's with as much noise as belongs there."""
        drawn = noise.normal(self.description.latents_shape)
        return drawn if start is None else self._scheduler.add_noise(start, drawn, place.timestep)

    def denoise(self, latents: Array, place: Place, words: Words, noise: TorchNoise) -> Stepped:
        """One step of one picture."""
        time = self._time_table[place.timestep]
        output = self._unet(latents=latents, embeddings=words.prompt, time=time)
        if words.negative is not None:
            plain = self._unet(latents=latents, embeddings=words.negative, time=time)
            output = plain + np.float32(words.guidance_scale) * (output - plain)
        return self._scheduler.step(latents, output, place, lambda: noise.normal(latents.shape))

    def decode(self, latents: Array) -> Image.Image:
        """RGB of the model's size."""
        decoded = self._decoder(latents=latents / np.float32(self.description.scaling_factor))
        pixels = np.clip(decoded[0] / 2 + np.float32(0.5), 0, 1).transpose(1, 2, 0) * 255
        return Image.fromarray(pixels.round().astype(np.uint8))


def _time_table(files: ModelFiles, unet: Graph) -> dict[int, Array]:
    """What the denoiser wants to know of each timestep: an embedding, or the timestep itself."""
    spec, timesteps = unet.spec("time"), files.description.timesteps
    if spec.dtype.kind == "i":
        return {timestep: np.full(spec.shape, timestep, spec.dtype) for timestep in timesteps or range(1000)}
    try:
        rows = np.load(files.time_table, allow_pickle=False).astype(np.float32)
    except (OSError, ValueError) as fault:
        raise EaselError(ErrorCode.ENGINE_FAILED, f"{files.time_table} cannot be read: {fault}") from fault
    timesteps = timesteps or tuple(range(len(rows)))
    if rows.ndim != 2 or len(rows) < len(timesteps) or rows.shape[1] != spec.shape[-1]:  # noqa: PLR2004  a table
        message = f"{files.time_table} holds {rows.shape} numbers; wanted are {len(timesteps)} rows of {spec.shape[-1]}"
        raise EaselError(ErrorCode.ENGINE_FAILED, message)
    return {timestep: rows[index].reshape(spec.shape) for index, timestep in enumerate(timesteps)}
