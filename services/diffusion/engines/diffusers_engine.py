"""The engine that draws with the pipelines of diffusers, whatever runs their networks."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import structlog
import torch
from PIL import Image

from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage, ModelInfo
from runtime.worker.images.engine import NO_INPUTS, Inputs, OnImageStep, Pixels
from services.diffusion.catalogue import Model
from services.diffusion.engines.backend import MakeBackend, Networks
from services.diffusion.engines.batching.capacity import measure
from services.diffusion.engines.batching.device_thread import DeviceThread
from services.diffusion.engines.loaded_model import LoadedModel
from services.diffusion.engines.loras.adapters import Weighted, Worn
from services.diffusion.engines.model_cache import GB, ModelCache
from services.diffusion.engines.native_size import at_asked_size, at_native_size
from services.diffusion.engines.pipelines import (
    call_arguments,
    check_request,
    keep_unmasked,
    latent_pictures,
    pipeline_class,
    to_pictures,
)
from services.diffusion.engines.previews import StepWatch
from services.diffusion.engines.sample import plain_request, sample_call
from services.diffusion.engines.torch_backend import TorchBackend
from services.diffusion.engines.weights import LOAD_FAULTS, quieten_libraries
from services.diffusion.loras.lora_folder import LoraFolder

log = structlog.get_logger()

MB = 1e6
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""In the words of torch's allocators that raise a plain RuntimeError (CPU, MPS)."""


class DiffusersEngine:
    """Satisfies `runtime.worker.images.engine.PreparableEngine` and `BatchingEngine`.

    Keeps the `keep` models used last in memory, within `memory_gb` (10^9 bytes of weights; 0 for any). Nothing is
    loaded before it is needed. `max_batch` pictures of a model's own size are drawn at once; 0 for as many as are found
    to pay when it is loaded. `prompt_cache_mb` are 10^6 bytes of embeddings to keep for each model. `keep_loras` of
    `loras` stay in memory with their model, within the same memory.
    """

    def __init__(
        self,
        models: Sequence[Model],
        device: str = "auto",
        make_backend: MakeBackend = TorchBackend,
        *,
        keep: int = 1,
        memory_gb: float = 0.0,
        max_batch: int = 1,
        prompt_cache_mb: float = 0.0,
        loras: LoraFolder | None = None,
        keep_loras: int = 8,
    ) -> None:
        quieten_libraries()
        self._models = tuple(models)
        self._make_backend = make_backend
        self._backend = make_backend(device)
        self._cache: ModelCache[LoadedModel] = ModelCache(keep, memory_gb * GB, self._release)
        self._max_batch = max_batch
        self._prompt_cache = prompt_cache_mb * MB
        self._loras = loras or LoraFolder()
        self._keep_loras = keep_loras
        self._thread = DeviceThread()
        self._changing = threading.RLock()
        """Held while models come and go."""
        self._slots = max(1, max_batch)

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        return tuple(map(self._info, self._models))

    def _info(self, model: Model) -> ModelInfo:
        """What is announced of it here and now."""
        info = self._loras.offered(model)
        loaded = self._cache.peek(info.id)
        has_caches = self._backend.caches(model) and not (loaded and loaded.offloaded)
        return info if has_caches else msgspec.structs.replace(info, caches=(), cache="")

    @property
    def device(self) -> str:
        return self._backend.name

    @property
    def loaded(self) -> tuple[str, ...]:
        return self._cache.loaded

    @property
    def slots(self) -> int:
        return self._slots

    def share(self, request: GenerateImage) -> float:
        loaded = self._cache.peek(self._find(request.model).info.id)
        if loaded is None:
            return 1.0
        drawn, _ = at_native_size(loaded.model, request, NO_INPUTS)
        own = plain_request(loaded.model)
        pictures = request.num_images * drawn.width * drawn.height / (own.width * own.height)
        return min(1.0, pictures / loaded.at_once)

    def load(self, model: str) -> None:
        self._load(self._find(model))

    def generate(
        self, request: GenerateImage, on_step: OnImageStep, inputs: Inputs = NO_INPUTS, /
    ) -> list[Image.Image]:
        model = self._find(request.model)
        info = self._info(model)
        check_request(info, request)
        asked = tuple((self._loras.find(it, info), it.weight) for it in sorted(request.loras) if it.weight)
        loaded, member = self._load(model), object()
        try:
            with torch.inference_mode():
                return _draw(loaded, member, self._worn(loaded, asked), request, on_step, inputs=inputs)
        except _Stopped as stop:
            raise stop.fault from None
        except (*LOAD_FAULTS, MemoryError, FloatingPointError) as fault:
            log.warning("drawing failed", model=model.info.id, exc_info=fault)
            failure = _explain(model, request, fault)
        finally:
            self._thread.leave(member)
        raise self._released(failure)

    def close(self) -> None:
        with self._changing:
            self._cache.clear()
            self._backend.release()
            self._thread.stop()

    def unload(self, model: str) -> None:
        with self._changing:
            self._cache.drop(self._find(model).info.id)

    def select_device(self, device: str) -> None:
        backend = self._make_backend(device)
        with self._changing:
            if backend.name != self._backend.name:
                self._cache.clear()
                self._backend = backend

    def _release(self) -> None:
        self._backend.release()

    def _find(self, name: str) -> Model:
        for model in self._models:
            if name in (model.info.id, *model.names):
                return model
        offered = ", ".join(model.info.id for model in self._models)
        raise EaselError(ErrorCode.MODEL_NOT_FOUND, f"no model {name!r} here; there is {offered}", param="model")

    def _worn(self, loaded: LoadedModel, asked: Weighted) -> Worn:
        """The LoRAs in memory with their model: its own others make room for them, then other models."""
        with self._changing:
            adapters = loaded.adapters
            while not self._cache.has_room(adapters.missing(asked)) and adapters.forget(but=asked):
                pass
            self._cache.make_room_beside(loaded.model.info.id, adapters.missing(asked))
            return adapters.worn(asked)

    def _load(self, model: Model) -> LoadedModel:
        with self._changing:
            loaded = self._cache.find(model.info.id) or self._loaded_now(model)
            self._slots = loaded.at_once
            return loaded

    def _loaded_now(self, model: Model) -> LoadedModel:
        name, size = model.info.id, self._backend.size(model)
        self._cache.make_room(name, size)
        try:
            networks = self._backend.load(model)
            loaded = self._in_memory(model, networks, size)
            self._try(loaded, networks.untried)
            loaded.at_once = self._at_once(loaded)
        except (*LOAD_FAULTS, MemoryError) as fault:
            log.warning("loading failed", model=name, exc_info=fault)
            failure = _explain(model, None, fault)
        else:
            self._cache.keep(name, loaded)
            log.info("loaded", model=name, device=self.device, dtype=str(loaded.pipe.dtype), at_once=loaded.at_once)
            return loaded
        raise self._released(failure)

    def _try(self, loaded: LoadedModel, untried: str) -> None:
        """One step, so that what cannot work is told now and not to the first job; compiling is done here too."""
        if not untried:
            return
        call = sample_call(loaded)
        try:
            self._thread.run(None, lambda: loaded.run([call]))
        except LOAD_FAULTS as fault:
            message = f"{untried} does not work here with {loaded.model.info.id}: {_first_line(fault)}"
            raise EaselError(ErrorCode.ENGINE_FAILED, message, param="model") from fault

    def _in_memory(self, model: Model, networks: Networks, size: float) -> LoadedModel:
        return LoadedModel(model, networks, size, self._thread, prompts=self._prompt_cache, loras=self._keep_loras)

    def _at_once(self, loaded: LoadedModel) -> int:
        if self._max_batch:
            return self._max_batch
        if not self._backend.batches:
            return 1
        call = sample_call(loaded)
        return self._thread.run(None, lambda: measure(call, loaded.run))

    def _released(self, failure: EaselError) -> EaselError:
        """To be called outside the `except`, where its traceback no longer holds the failed call's tensors."""
        self._backend.release()
        return failure


def _draw(
    loaded: LoadedModel, member: object, worn: Worn, request: GenerateImage, on_step: OnImageStep, *, inputs: Inputs
) -> list[Image.Image]:
    model = loaded.model
    native, start = at_native_size(model, request, inputs)
    pipe = loaded.private_pipeline(pipeline_class(model.family, inputs), native, member, worn)
    watch = StepWatch(pipe.scheduler)

    def preview() -> list[Pixels]:
        latents = latent_pictures(pipe, watch.predicted(), native.width, native.height)
        shown = loaded.preview(member, latents)
        if inputs.mask is None:
            return shown
        return [np.asarray(it) for it in keep_unmasked([Image.fromarray(pixels) for pixels in shown], inputs)]

    def step_ended(pipe: Any, step: int, _timestep: Any, _tensors: dict[str, Any]) -> dict[str, Any]:
        try:
            on_step(step + 1, pipe.num_timesteps, preview)
        except BaseException as fault:
            raise _Stopped(fault) from fault
        return {}

    arguments = call_arguments(pipe, model, native, start)
    drawn = pipe(**arguments, callback_on_step_end=step_ended).images
    return keep_unmasked(at_asked_size(to_pictures(drawn), request), inputs)


class _Stopped(BaseException):
    """Carries what `on_step` raised through the pipeline, past every handler in between."""

    def __init__(self, fault: BaseException) -> None:
        super().__init__()
        self.fault = fault


def _explain(model: Model, request: GenerateImage | None, fault: BaseException) -> EaselError:
    """The failure in words for the one who asked; the traceback stays in the log."""
    doing = "loading" if request is None else f"drawing {request.num_images} x {request.width}x{request.height} with"
    if isinstance(fault, FloatingPointError):
        message = (
            f"{doing} {model.info.id} gave numbers that are no picture (not finite); "
            "another dtype helps where 16 bits overflow: EASEL_DIFFUSION_DTYPE=bfloat16 or float32"
        )
    elif isinstance(fault, MemoryError | torch.OutOfMemoryError) or any(it in str(fault) for it in OUT_OF_MEMORY):
        need = f" (its weights take {model.memory_gb:g} GB at 16 bits)" if model.memory_gb else ""
        message = (
            f"{doing} {model.info.id} ran out of memory{need}: ask for fewer or smaller pictures, "
            "set EASEL_DIFFUSION_DTYPE=bfloat16, or choose a smaller model"
        )
    else:
        message = f"{doing} {model.info.id} failed: {_first_line(fault)}"
    return EaselError(ErrorCode.ENGINE_FAILED, message)


def _first_line(fault: BaseException) -> str:
    return f"{type(fault).__name__}: {next(iter(str(fault).strip().splitlines()), '')[:200]}"
