"""Denoiser and VAE on an OpenVINO device: converted once, kept on disk, compiled at load."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import openvino as ov
import structlog
import torch

from contracts.errors import EaselError, ErrorCode
from services.diffusion.catalogue import Model
from services.diffusion.engines.backend import Networks
from services.diffusion.engines.devices import release
from services.diffusion.engines.loras.hooked import Hooked
from services.diffusion.engines.loras.terms import Wearer
from services.diffusion.engines.openvino.conversion import DECODER, DENOISER, ENCODER, PREVIEW, convert
from services.diffusion.engines.openvino.devices import choose_device, device_name
from services.diffusion.engines.openvino.network import Network
from services.diffusion.engines.openvino.stand_ins import (
    Denoiser,
    Preview,
    Transformer,
    UNet,
    Vae,
    ZImageTransformer,
)
from services.diffusion.engines.preview_network import load_preview_network
from services.diffusion.engines.weights import load_parts, local_folder, numbers
from services.diffusion.model_folder import ModelFolder
from services.diffusion.torch_options import DEFAULTS, TorchOptions

log = structlog.get_logger()

PRECISIONS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
GRAPHS_VERSION = 2
"""Of what conversion makes; another number leaves older folders unused."""


class OpenVINOBackend:
    """Satisfies `services.diffusion.engines.backend.Backend`.

    Raises:
        EaselError: no such device here, or `torch_options` that only torch has.
    """

    def __init__(
        self,
        device: str = "auto",
        dtype: str = "auto",
        *,
        cache: Path,
        eight_bits: bool = False,
        static: bool = False,
        torch_options: TorchOptions = DEFAULTS,
    ) -> None:
        _refuse(torch_options)
        self._core = ov.Core()
        self._device = choose_device(self._core, device)
        self._dtype = dtype
        self._precision = {"INFERENCE_PRECISION_HINT": PRECISIONS[dtype]} if dtype != "auto" else {}
        self._cache = cache / "openvino"
        self._eight_bits = eight_bits
        self._static = static or self._device.startswith("NPU")

    @property
    def name(self) -> str:
        return device_name(self._core, self._device)

    @property
    def batches(self) -> bool:
        return not self._static  # each number of pictures is another shape to compile

    def caches(self, _model: Model, /) -> bool:
        return False  # a graph runs whole

    def size(self, model: Model) -> float:
        return numbers(model) * 2  # graphs keep 16 bits

    def load(self, model: Model) -> Networks:
        _refuse(model.torch)
        folder = local_folder(model, model.variant)
        graphs = self._graphs(model, folder)
        names = [name for name in ("unet", "transformer") if name in folder.index]
        denoiser, vae = (_empty(folder, name) for name in (names[0], "vae"))
        pipeline_class = getattr(diffusers, model.family.pipeline)
        pipe = load_parts(pipeline_class, folder, torch.float32, model.variant, **{names[0]: denoiser, "vae": vae})
        setattr(pipe, names[0], _stand_in(model)(self._network(graphs, DENOISER), denoiser))
        pipe.vae = Vae(self._network(graphs, DECODER), self._network(graphs, ENCODER), vae.config)
        overlaps = not self._device.startswith("CPU")  # text encoders are on it
        return Networks(pipe, overlaps, _wearer, show=self._preview(graphs))

    def _network(self, graphs: Path, name: str) -> Network:
        return Network(self._core, graphs / f"{name}.xml", self._device, self._options(graphs), static=self._static)

    def _preview(self, graphs: Path) -> Preview | None:
        """On the CPU, where latents are; compiled for each shape: one form for all takes longer than a preview may."""
        path = graphs / f"{PREVIEW}.xml"
        if not path.is_file():
            return None
        options = {**self._options(graphs), "INFERENCE_NUM_THREADS": 1}
        return Preview(Network(self._core, path, "CPU", options, static=True))

    def _options(self, graphs: Path) -> dict[str, Any]:
        compiled = graphs / f"compiled-{self._dtype}"  # OpenVINO takes one precision's for another's, and crashes
        return {**self._precision, "CACHE_DIR": str(compiled)}

    def _graphs(self, model: Model, folder: ModelFolder) -> Path:
        """The folder of the converted model; made whole or not at all, as several workers may need it at once."""
        kept = self._cache / f"{model.info.id.replace('/', '--')}-{self._fingerprint(folder)}"
        if not kept.is_dir():
            log.info("converting for OpenVINO, once", model=model.info.id, folder=str(kept))
            self._cache.mkdir(parents=True, exist_ok=True)
            made = Path(tempfile.mkdtemp(dir=self._cache, prefix="converting-"))
            try:
                parts = [_full(folder, name, model.variant) for name in ("unet", "transformer") if name in folder.index]
                preview = load_preview_network(model.folder)
                convert(parts[0], _full(folder, "vae", model.variant), preview, made, eight_bits=self._eight_bits)
                if not kept.is_dir():
                    made.rename(kept)
            finally:
                shutil.rmtree(made, ignore_errors=True)
        return kept

    def _fingerprint(self, folder: ModelFolder) -> str:
        facts = [GRAPHS_VERSION, ov.__version__, diffusers.__version__, torch.__version__, self._eight_bits]
        for file in sorted(folder.path.glob("*/*")):
            if file.suffix in (".safetensors", ".json"):
                state = file.stat()
                facts.append((file.name, state.st_size, state.st_mtime_ns))
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    def release(self) -> None:
        release(torch.device("cpu"))


def _refuse(options: TorchOptions) -> None:
    if options.named:
        message = f"the engine openvino has no {', '.join(options.named)}: set EASEL_DIFFUSION_ENGINE=diffusers"
        raise EaselError(ErrorCode.UNSUPPORTED, message, param="model")


def _wearer(part: Any) -> Wearer:
    return part if isinstance(part, Denoiser) else Hooked(part)  # text encoders are torch's


def _class_of(folder: ModelFolder, name: str) -> Any:
    return getattr(diffusers, folder.index[name][1])


def _full(folder: ModelFolder, name: str, variant: str | None) -> Any:
    return _class_of(folder, name).from_pretrained(
        folder.path / name, dtype=torch.float32, variant=variant, use_safetensors=True, local_files_only=True
    )


def _empty(folder: ModelFolder, name: str) -> Any:
    """The module without its weights, for the pipeline to be built around: it reads the configuration."""
    kind = _class_of(folder, name)
    with torch.device("meta"):
        return kind.from_config(kind.load_config(folder.path / name, local_files_only=True))


def _stand_in(model: Model) -> Callable[[Network, Any], Denoiser]:
    match model.family.name:
        case "z-image":
            return ZImageTransformer
        case "flux" | "stable-diffusion-3":
            return Transformer
        case _:
            return UNet
