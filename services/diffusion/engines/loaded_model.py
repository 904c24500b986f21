"""One model in memory, and the pipelines over its weights: text to image, image to image, inpainting."""

from __future__ import annotations

import copy
import inspect
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import diffusers
import torch

from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage
from runtime.worker.images.engine import Pixels
from services.diffusion.catalogue import Model
from services.diffusion.engines.backend import Networks
from services.diffusion.engines.batching.device_thread import DeviceThread, RunCalls
from services.diffusion.engines.batching.shared import Denoiser, Vae
from services.diffusion.engines.loras.adapters import Adapters, Worn
from services.diffusion.engines.previews import PreviewDecoder
from services.diffusion.engines.prompt_cache import PromptCache
from services.diffusion.engines.step_caches import step_cache
from services.diffusion.schedulers import own_name

T = TypeVar("T")


class LoadedModel:
    """Weights once; the private pipelines of all requests share them.

    `prompts` are bytes of embeddings to keep, `loras` how many LoRAs. Where the networks overlap, text encoders and VAE
    run in the requests' threads, one at a time; else in the device's.
    """

    def __init__(
        self, model: Model, networks: Networks, size: float, device: DeviceThread, *, prompts: float, loras: int
    ) -> None:
        self.model = model
        self.pipe = pipe = networks.pipe
        self._size = size
        parts = [name for name in pipe._lora_loadable_modules if name in pipe.components]  # noqa: SLF001  no public one
        wearers = {name: networks.wearer(pipe.components[name]) for name in parts}
        self.adapters = Adapters(model.info.id, pipe, wearers, self._denoiser_name, loras)
        self.at_once = 1
        """Pictures of its own size that are worth drawing at once."""
        self._preview_decoder = PreviewDecoder(pipe.vae, networks.show)
        self._device = device
        self.offloaded = networks.offloaded
        self._prompts = PromptCache(prompts)
        self._lock = threading.Lock() if networks.overlaps else None
        self._by_class = {model.family.pipeline: pipe}

    @property
    def size(self) -> float:
        """Bytes of its weights and of the LoRAs in memory with it."""
        return self._size + self.adapters.nbytes

    @property
    def run(self) -> RunCalls:
        """Calls of the denoiser without LoRAs."""
        return self.adapters.plain.run

    @property
    def denoiser(self) -> Any:
        return getattr(self.pipe, self._denoiser_name)

    @property
    def _denoiser_name(self) -> str:
        return "unet" if "unet" in self.pipe.components else "transformer"

    def private_pipeline(
        self,
        class_name: str,
        request: GenerateImage,
        member: object,
        worn: Worn | None = None,
        stand_in: type[Denoiser] = Denoiser,
    ) -> Any:
        """A pipeline for one request: its scheduler and its running state are its own, networks are shared.

        `worn` are its LoRAs.

        `member` stands for the request; the device's thread waits for its calls until it has left. Those of a
        deterministic request are merged with nobody's, nor those with a step cache.
        """
        worn = worn or self.adapters.plain
        private = self._own_state(class_name)
        private._all_hooks = []  # noqa: SLF001  offloaded parts are everybody's: no pipeline puts them back at its end
        private.scheduler = self._scheduler(request.scheduler)
        size = (request.width, request.height, member if request.deterministic else None)
        run = worn.on(self._with_cache(request.cache)) if request.cache else worn.run
        setattr(private, self._denoiser_name, stand_in(self.denoiser, self._device, member, size, run))
        private.vae = Vae(self.pipe.vae, lambda work: self.beside(member, work))
        private.encode_prompt = self._cached_encoding(private, member, worn)
        return private

    def _with_cache(self, text: str) -> RunCalls:
        if self.offloaded:
            message = (
                f"{self.model.info.id} is offloaded, and a step cache needs it whole on the device: leave cache out"
            )
            raise EaselError(ErrorCode.UNSUPPORTED, message, param="cache")
        return step_cache(self.denoiser, text)

    def beside(self, member: object, work: Callable[[], T]) -> T:
        """Run what is no denoising step."""
        if self._lock is None:
            return self._device.run(member, work)
        with self._lock:
            return work()

    def preview(self, member: object, latents: torch.Tensor) -> list[Pixels]:
        """Small pictures of latents (pictures, channels, height, width) in the pipeline's own scale."""
        return self._preview_decoder(latents, lambda work: self.beside(member, work))

    def _own_state(self, class_name: str) -> Any:
        if class_name not in self._by_class:
            self._by_class[class_name] = _same_parts(self.pipe, getattr(diffusers, class_name))
        return copy.copy(self._by_class[class_name])

    def _scheduler(self, name: str) -> Any:
        own = self.pipe.scheduler
        if not name or name == own_name(own.config):
            return type(own).from_config(own.config)
        wanted = self.model.family.schedulers[name]
        return getattr(diffusers, wanted.kind).from_config(own.config, **wanted.config)

    def _cached_encoding(self, private: Any, member: object, worn: Worn) -> Callable[..., Any]:
        """`encode_prompt` for one at a time: tokenizers keep a state, so that several threads get wrong tokens."""
        encode = private.encode_prompt
        signature = inspect.signature(encode)

        def cached(*args: Any, **options: Any) -> Any:
            asked = signature.bind(*args, **options).arguments

            def work() -> Any:
                self.adapters.dress(worn)
                return encode(*args, **options)

            if any(isinstance(value, torch.Tensor) for value in asked.values()):
                return self.beside(member, work)
            return self._prompts.find((repr(sorted(asked.items())), worn.key), lambda: self.beside(member, work))

        return cached


def _same_parts(pipe: Any, kind: Any) -> Any:
    """Like diffusers' `from_pipe`, which leaves out a VAE of another class than the signature names: a tiny one."""
    known = {**pipe.config, **pipe.components}
    parameters = inspect.signature(kind.__init__).parameters
    made = kind(**{name: known[name] for name in parameters if name in known})
    made.set_progress_bar_config(disable=True)
    return made
