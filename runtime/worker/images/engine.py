"""The protocol that every image engine satisfies, structurally; `tests/conformance/image_engine.py` is its suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contracts.images import GenerateImage, ModelInfo

Pixels = NDArray[np.uint8]
"""RGB, shaped (height, width, 3)."""
PreviewSource = Callable[[], list[Pixels]]
"""Shows the running latents, once for each picture of the request, of any size; costs time when called, and may be
called before `on_step` returns only. Arrays, because some steps are so short that they would feel Pillow's pictures."""


class OnImageStep(Protocol):
    """What an engine calls after each denoising step: as `runtime.worker.handler.OnStep`, with previews on demand."""

    def __call__(self, done: int, total: int, preview: PreviewSource | None = None, /) -> None: ...


@dataclass(frozen=True)
class Inputs:
    """The decoded pictures of a request, both `request.width` x `request.height`."""

    image: Image.Image | None = None
    """RGB; present exactly when the request has an `init_image`."""
    mask: Image.Image | None = None
    """L, 255 where to paint, 0 where to keep; present exactly when the request has a `mask_image`."""


NO_INPUTS = Inputs()


class ImageEngine(Protocol):
    """Draws pictures. Every method blocks and is called from one dedicated thread, which owns the device context.

    A `BatchingEngine` is called from several.
    """

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """The models on offer and their limits, known before anything is loaded. Safe from any thread."""

    @property
    def device(self) -> str:
        """The device in use, as people name it (`cpu`, `cuda:0 NVIDIA H200`). Safe from any thread."""

    @property
    def loaded(self) -> tuple[str, ...]:
        """Ids of the models in memory. Safe from any thread."""

    def load(self, model: str) -> None:
        """Bring a model into memory; harmless when it is there.

        Raises:
            EaselError: MODEL_NOT_FOUND, or ENGINE_FAILED with what to do (weights missing, too little memory).
        """

    def generate(
        self, request: GenerateImage, on_step: OnImageStep, inputs: Inputs = NO_INPUTS, /
    ) -> list[Image.Image]:
        """Draw `request.num_images` RGB pictures of `request.width` x `request.height`; loads the model if need be.

        Picture k uses seed `request.image_seed(k)`. `on_step(done, total)` is called once after every denoising step,
        done = 1 … total, total the same throughout (fewer than `num_inference_steps` when `strength` starts late);
        whatever it raises passes through, and the engine stays usable.

        Raises:
            EaselError: MODEL_NOT_FOUND or UNSUPPORTED before the first step; ENGINE_FAILED when the model fails.
        """

    def close(self) -> None:
        """Release the device; harmless when repeated."""


@runtime_checkable
class PreparableEngine(ImageEngine, Protocol):
    """An engine that can give models back and change its device while it serves."""

    def unload(self, model: str) -> None:
        """Take a model out of memory; harmless when it is not there.

        Raises:
            EaselError: MODEL_NOT_FOUND.
        """

    def select_device(self, device: str) -> None:
        """Draw on another device from now on; harmless when it is in use. Models leave the old one's memory.

        Raises:
            EaselError: ENGINE_FAILED, no such device here, with those that are; nothing has changed.
        """


@runtime_checkable
class BatchingEngine(ImageEngine, Protocol):
    """An engine that draws several requests at once: `generate` may be called from several threads.

    Every picture is, within rounding, the one that would be drawn alone; to the last bit if it is asked to be
    `deterministic`. A request joins and leaves at any step.
    """

    @property
    def slots(self) -> int:
        """Requests of the model's own size that are worth drawing at once, at the moment. Safe from any thread."""

    def share(self, request: GenerateImage) -> float:
        """How much of the device the request takes, above 0 to 1 for all; 1 too where that is not known yet.

        Safe from any thread.

        Raises:
            EaselError: MODEL_NOT_FOUND.
        """
