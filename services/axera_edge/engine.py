"""The engine of the edge: one model, one card, one thread."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import structlog
from PIL import Image

from contracts.capability import check
from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage, ModelInfo
from runtime.worker.images.engine import NO_INPUTS, Inputs, OnImageStep, PreviewSource
from services.axera_edge.description import ModelFiles
from services.axera_edge.noise import Array, TorchNoise
from services.axera_edge.npu_thread import NpuThread
from services.axera_edge.pipeline import Pipeline
from services.axera_edge.sessions.session import OpenSession, Session

log = structlog.get_logger()


class Drawn(NamedTuple):
    """Pictures and how long they took."""

    images: list[Image.Image]
    text_time_ms: float
    """In the text encoder."""
    total_time_ms: float
    """From the turn at the card to the last picture, loading excluded."""


class EdgeEngine:
    """Satisfies `runtime.worker.images.engine.ImageEngine`, and may be called from any thread: the card has its own."""

    def __init__(self, files: ModelFiles, open_session: OpenSession) -> None:
        self._files = files
        self._open_session = open_session
        self._info = files.description.info(img2img=files.vae_encoder is not None)
        self._pipeline: Pipeline | None = None  # the card's thread writes
        self.npu = NpuThread()

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        return (self._info,)

    @property
    def device(self) -> str:
        return self._open_session.device

    @property
    def loaded(self) -> tuple[str, ...]:
        return (self._info.id,) if self._pipeline else ()

    def load(self, model: str) -> None:
        self._check_model(model)
        self.npu.run(self._loaded_pipeline)

    def generate(
        self, request: GenerateImage, on_step: OnImageStep, inputs: Inputs = NO_INPUTS, /
    ) -> list[Image.Image]:
        return self.draw(request, on_step, inputs).images

    def draw(
        self, request: GenerateImage, on_step: OnImageStep, inputs: Inputs = NO_INPUTS, wait_s: float | None = None
    ) -> Drawn:
        """As `generate`, with the times it took.

        Raises:
            NpuBusyError: the card was not free within `wait_s` seconds.
        """
        check(self._info, request)
        return self.npu.run(lambda: self._drawn(request, on_step, inputs), wait_s)

    def close(self) -> None:
        self.npu.run(self._forget)

    def _forget(self) -> None:
        self._pipeline = None

    def _loaded_pipeline(self) -> Pipeline:
        if self._pipeline is None:
            begun = time.monotonic()
            self._pipeline = Pipeline(self._files, self._opened)
            seconds = round(time.monotonic() - begun, 1)
            log.info("loaded", model=self._info.id, device=self.device, seconds=seconds)
        return self._pipeline

    def _opened(self, path: Path) -> Session:
        session = self._open_session(path)
        self.npu.progress()
        return session

    def _drawn(self, request: GenerateImage, on_step: OnImageStep, inputs: Inputs) -> Drawn:
        try:
            return self._draw(request, on_step, inputs)
        except EaselError as fault:
            if fault.code is ErrorCode.ENGINE_FAILED:
                self._forget()  # the driver may have been reset: the next request loads anew
            raise

    def _draw(self, request: GenerateImage, on_step: OnImageStep, inputs: Inputs) -> Drawn:
        pipeline = self._loaded_pipeline()
        places = pipeline.places(request.num_inference_steps, None if inputs.image is None else request.strength)
        begun = time.monotonic()
        words = pipeline.encode_words(request.prompt, request.negative_prompt, request.guidance_scale)
        text_done = time.monotonic()
        self.npu.progress()
        noises = [TorchNoise(request.image_seed(index)) for index in range(request.num_images)]
        latents = []
        for noise in noises:
            start = None if inputs.image is None else pipeline.encode_image(inputs.image, noise)
            latents.append(pipeline.begin(noise, places[0], start))
        for done, place in enumerate(places, 1):
            stepped = []
            for noise, latent in zip(noises, latents, strict=True):
                stepped.append(pipeline.denoise(latent, place, words, noise))
                self.npu.progress()
            latents = [latent for latent, _ in stepped]
            on_step(done, len(places), self._showing(pipeline, [foreseen for _, foreseen in stepped]))
        images = self._decoded(pipeline, latents)
        now = time.monotonic()
        return Drawn(images, (text_done - begun) * 1000, (now - begun) * 1000)

    def _showing(self, pipeline: Pipeline, latents: list[Array]) -> PreviewSource:
        return lambda: [np.asarray(image) for image in self._decoded(pipeline, latents)]

    def _decoded(self, pipeline: Pipeline, latents: list[Array]) -> list[Image.Image]:
        images = []
        for latent in latents:
            images.append(pipeline.decode(latent))
            self.npu.progress()
        return images

    def _check_model(self, model: str) -> None:
        if model != self._info.id:
            message = f"no model {model!r} here; there is {self._info.id}"
            raise EaselError(ErrorCode.MODEL_NOT_FOUND, message, param="model")
