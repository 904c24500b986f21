"""Settings to engine. Engines are imported here, and only the chosen one: no library is needed but its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import msgspec

from contracts.errors import EaselError, ErrorCode
from runtime.worker.images.engine import ImageEngine
from services.diffusion.catalogue import Catalogue, Model
from services.diffusion.choices import Choices, cache_folder
from services.diffusion.engines.backend import MakeBackend
from services.diffusion.loras.lora_folder import LoraFolder, lora_dir
from services.diffusion.settings import DiffusionSettings
from services.diffusion.torch_options import TorchOptions

IDLE_THREADS_SLEEP = {"OMP_WAIT_POLICY": "PASSIVE"}
"""For OpenMP, which reads it when torch is imported. Otherwise torch's threads spin while they wait for each other: on
two cores that others used too, two of them drew in 1.5 to 17 s what takes 0.3 s."""


def build_engine(settings: DiffusionSettings) -> ImageEngine:
    """The engine that `settings` ask for, nothing loaded yet.

    Raises:
        EaselError: an unknown model, a device that is not there, or an engine that is not installed.
    """
    models = _models(settings)
    for name, value in IDLE_THREADS_SLEEP.items():
        os.environ.setdefault(name, value)
    try:
        from services.diffusion.engines.diffusers_engine import DiffusersEngine  # noqa: PLC0415  imports torch

        make_backend = _backends(settings)[settings.engine]()
    except ImportError as fault:
        extra = "openvino" if settings.engine == "openvino" else "diffusion"
        message = (
            f"the engine {settings.engine} is not installed ({fault.name} is missing): pip install 'easel[{extra}]'"
        )
        raise EaselError(ErrorCode.ENGINE_FAILED, message) from fault
    return DiffusersEngine(
        models,
        settings.device,
        make_backend,
        keep=settings.loaded_models,
        memory_gb=settings.memory_gb,
        max_batch=0 if settings.max_batch == "auto" else int(settings.max_batch),
        prompt_cache_mb=settings.prompt_cache_mb,
        loras=LoraFolder(lora_dir(settings.lora_dir, os.environ)),
        keep_loras=settings.loaded_loras,
    )


def preloaded(settings: DiffusionSettings) -> tuple[str, ...]:
    """Ids of the models to load at the start.

    Raises:
        EaselError: a name that is not on offer, or more models than may be in memory.
    """
    offered = [model.info.id for model in _models(settings)]
    match [name.lower() for name in settings.preload]:
        case ["true" | "yes" | "on" | "1"]:
            return tuple(offered[:1])
        case [] | ["false" | "no" | "off" | "0"]:
            return ()
    catalogue = Catalogue(settings.models_file)
    wanted = dict.fromkeys(catalogue.find(name).info.id for name in settings.preload)
    missing = [name for name in wanted if name not in offered]
    if missing:
        message = (
            f"EASEL_DIFFUSION_PRELOAD names {', '.join(missing)}, which this worker does not offer: it has "
            f"{', '.join(offered)} (EASEL_DIFFUSION_MODELS)"
        )
        raise EaselError(ErrorCode.INVALID_REQUEST, message)
    if len(wanted) > settings.loaded_models:
        message = (
            f"EASEL_DIFFUSION_PRELOAD names {len(wanted)} models, and {settings.loaded_models} may be in memory: raise "
            "EASEL_DIFFUSION_LOADED_MODELS"
        )
        raise EaselError(ErrorCode.INVALID_REQUEST, message)
    return tuple(wanted)


def _backends(settings: DiffusionSettings) -> dict[str, Callable[[], MakeBackend]]:
    def torch_backend() -> MakeBackend:
        from services.diffusion.engines.torch_backend import TorchBackend  # noqa: PLC0415  as above

        return partial(TorchBackend, dtype=settings.dtype, options=_torch_options(settings))

    def openvino_backend() -> MakeBackend:
        from services.diffusion.engines.openvino.backend import OpenVINOBackend  # noqa: PLC0415  not everywhere

        return partial(
            OpenVINOBackend,
            dtype=settings.dtype,
            eight_bits=settings.openvino_weights == "int8",
            static=settings.openvino_static,
            torch_options=_torch_options(settings),
            cache=cache_folder(settings.cache_dir, os.environ),
        )

    def fitting_backend() -> MakeBackend:
        try:
            from services.diffusion.engines.fitting_backend import fitting  # noqa: PLC0415  imports both
        except ImportError:  # OpenVINO is a choice, torch is not
            return torch_backend()
        wants_openvino = settings.openvino_static or settings.openvino_weights == "int8"
        choices = None if wants_openvino else Choices(cache_folder(settings.cache_dir, os.environ))
        return fitting(torch_backend(), openvino_backend(), choices, f"dtype {settings.dtype}")

    return {"diffusers": torch_backend, "openvino": openvino_backend, "auto": fitting_backend}


def _torch_options(settings: DiffusionSettings) -> TorchOptions:
    given = {
        "attention_backend": settings.attention_backend,
        "offload": settings.offload,
        "vae_tiling": settings.vae_tiling,
        "compile_repeated_blocks": settings.compile,
    }
    return msgspec.convert(given, TorchOptions)


def _models(settings: DiffusionSettings) -> tuple[Model, ...]:
    """Each once, in the order of the settings."""
    catalogue = Catalogue(settings.models_file)
    models: dict[str, Model] = {}
    for name in settings.models:
        model = catalogue.find(name)
        first = models.setdefault(model.info.id, model)
        if first != model:
            message = f"two models are called {model.info.id!r}, in {first.source} and {model.source}: rename a folder"
            raise EaselError(ErrorCode.INVALID_REQUEST, message)
    return tuple(models.values())
