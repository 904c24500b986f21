"""Reads a local folder in diffusers format, without torch: its family, its defaults, and whether it may be loaded."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec

from contracts.errors import EaselError, ErrorCode
from services.diffusion import families, schedulers
from services.diffusion.families import Family, Limits

INDEX = "model_index.json"
DEFAULTS = "easel.json"
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".joblib")
"""Files that can run code when they are read; never loaded."""
LIBRARIES = ("diffusers", "transformers", "stable_diffusion")
"""That parts may come from; the last one is diffusers' old name for its safety checker's. Others would be imported."""


class ModelFolder:
    """One folder.

    Raises:
        EaselError: MODEL_NOT_FOUND, not a folder in diffusers format; UNSUPPORTED, a pipeline that Easel does not
            know; ENGINE_FAILED, weights that are no safetensors or a file that is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not (path / INDEX).is_file():
            message = f"{path} is not a model in diffusers format: it has no {INDEX}"
            raise EaselError(ErrorCode.MODEL_NOT_FOUND, message, param="model")
        self.index = _read(path / INDEX)
        self.family = self._family()
        self._refuse_foreign_parts()
        self._refuse_pickles()

    def _family(self) -> Family:
        kind = self.index.get("_class_name")
        family = families.by_pipeline.get(kind) if isinstance(kind, str) else None
        if family is None:
            known = ", ".join(families.by_pipeline)
            message = f"{self.path / INDEX} asks for the pipeline {kind!r}; Easel draws with {known}"
            raise EaselError(ErrorCode.UNSUPPORTED, message, param="model")
        return family

    def _refuse_foreign_parts(self) -> None:
        """A part is `[library, class]`; a library of the publisher's own is code that came with the weights."""
        for name, part in self.index.items():
            if not name.startswith("_") and isinstance(part, list) and part and part[0] not in (None, *LIBRARIES):
                message = (
                    f"{self.path / INDEX} takes {name} from {part[0]!r}: code that comes with a model is never run; "
                    f"parts may come from {', '.join(LIBRARIES)}"
                )
                raise EaselError(ErrorCode.UNSUPPORTED, message, param="model")

    def _refuse_pickles(self) -> None:
        for part in (self.path / name for name in self.index):
            files = list(part.iterdir()) if part.is_dir() else []
            if any(file.suffix == ".safetensors" for file in files):
                continue
            pickles = sorted(file.name for file in files if file.suffix in PICKLES)
            if pickles:
                message = (
                    f"{part} holds {pickles[0]} and no .safetensors file: pickled weights can run code and are never "
                    f"loaded; convert the model with save_pretrained(..., safe_serialization=True)"
                )
                raise EaselError(ErrorCode.ENGINE_FAILED, message, param="model")

    def limits(self) -> Limits:
        """What the folder says of itself: easel.json first, then its architecture, then its family."""
        stated = Limits()
        if (self.path / DEFAULTS).is_file():
            try:
                stated = msgspec.convert(_read(self.path / DEFAULTS), Limits)
            except msgspec.ValidationError as fault:
                raise EaselError(ErrorCode.ENGINE_FAILED, f"{self.path / DEFAULTS} is wrong: {fault}") from fault
        return stated.or_else(self._architecture()).or_else(self.family.limits)

    def is_guided_flux(self) -> bool:
        """Whether a Flux transformer takes a guidance scale (dev) or was distilled without (schnell)."""
        return bool(self._config("transformer").get("guidance_embeds"))

    def lora_widths(self) -> tuple[int, ...]:
        """As `Family.lora_widths`, of this model."""
        unet, transformer = self._config("unet"), self._config("transformer")
        width = unet.get("cross_attention_dim") or transformer.get("dim")
        heads, each = transformer.get("num_attention_heads"), transformer.get("attention_head_dim")
        if width is None and isinstance(heads, int) and isinstance(each, int):
            width = heads * each
        return (width,) if isinstance(width, int) else ()

    def _architecture(self) -> Limits:
        scheduler = self._config("scheduler", "scheduler_config.json")
        if not scheduler:
            return self._network()
        names = schedulers.offered(self.family.schedulers, schedulers.own_name(scheduler), scheduler)
        return Limits(schedulers=names).or_else(self._network())

    def _network(self) -> Limits:
        if self.family.name == "flux" and not self.is_guided_flux():
            return families.FLUX_SCHNELL
        latent, levels = self._config("unet").get("sample_size"), self._config("vae").get("block_out_channels")
        if isinstance(latent, int) and levels:
            side = latent * 2 ** (len(levels) - 1)
            least, most = self.family.limits.min_size or 0, self.family.limits.max_size or 0
            return Limits.square(side, min_size=min(side, least), max_size=max(side, most))
        return Limits()

    def _config(self, part: str, name: str = "config.json") -> dict[str, Any]:
        path = self.path / part / name
        return _read(path) if path.is_file() else {}

    def weights_numbers(self) -> int:
        """How many numbers all weights are, from the headers of their files."""
        return sum(_numbers(file) for file in self.path.rglob("*.safetensors"))

    def numbers_by_part(self) -> dict[str, int]:
        """The same for `unet`, `vae` and each other part of the pipeline."""
        parts = (name for name in self.index if (self.path / name).is_dir())
        return {name: sum(_numbers(file) for file in (self.path / name).glob("*.safetensors")) for name in parts}

    def weights_bytes(self) -> int:
        """Size of all weights on disk."""
        return sum(file.stat().st_size for file in self.path.rglob("*.safetensors"))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise EaselError(ErrorCode.ENGINE_FAILED, f"{path} cannot be read: {fault}") from fault
    if not isinstance(content, dict):
        raise EaselError(ErrorCode.ENGINE_FAILED, f"{path} is not a JSON object")
    return content


def _numbers(file: Path) -> int:
    """From a safetensors header: eight bytes of length, then JSON (https://huggingface.co/docs/safetensors)."""
    try:
        with file.open("rb") as opened:
            header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
        return sum(math.prod(part["shape"]) for name, part in header.items() if name != "__metadata__")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, MemoryError, OverflowError):
        return 0  # damaged: loading it says how
