"""What runs a pipeline's networks: torch, or OpenVINO in the place of some of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from runtime.worker.images.engine import Pixels
from services.diffusion.catalogue import Model
from services.diffusion.engines.loras.terms import Wearer

Show = Callable[[Tensor], list[Pixels]]
"""From latents (pictures, channels, height, width) in the pipeline's scale to a small picture of each."""


@dataclass(frozen=True)
class Networks:
    """A model in memory."""

    pipe: Any
    """A diffusers pipeline."""
    overlaps: bool
    """Whether text encoders and VAE may run beside the denoiser: what they need is not what it waits for."""
    wearer: Callable[[Any], Wearer]
    """Who adds LoRAs to a part of the pipeline."""
    offloaded: bool = False
    """Whether parts are elsewhere until they are called."""
    untried: str = ""
    """What was asked for of which only a call tells whether it works here; empty for nothing."""
    show: Show | None = None
    """Makes previews, where the model has a network for them."""


class Backend(Protocol):
    """Networks on one device. Every method blocks and is called by one thread at a time, the properties by any."""

    @property
    def name(self) -> str:
        """The device, as people name it."""

    @property
    def batches(self) -> bool:
        """Whether calls with any number of pictures are as welcome as any others."""

    def caches(self, model: Model, /) -> bool:
        """Whether its denoiser can have a step cache, as far as is known before it is loaded."""

    def size(self, model: Model) -> float:
        """Bytes that the weights of `model` will take in memory; 0 where nobody says."""

    def load(self, model: Model) -> Networks:
        """`model` in memory.

        Raises:
            EaselError: MODEL_NOT_FOUND, ENGINE_FAILED or UNSUPPORTED, with what to do.
            RuntimeError, MemoryError: too little memory.
        """

    def release(self) -> None:
        """Hand memory that nothing refers to back to the system."""


MakeBackend = Callable[[str], Backend]
"""`device -> Backend`; raises EaselError with the devices that there are."""
