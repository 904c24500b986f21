"""The models that Easel knows by name: catalogue.toml, the operator's own file in the same form, and local folders.

A name is looked up in the operator's file, then in the catalogue, then taken for a folder. Nothing is downloaded here.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from contracts import step_cache
from contracts.errors import EaselError, ErrorCode
from contracts.images import ModelInfo
from services.diffusion import families
from services.diffusion.families import Family, Limits
from services.diffusion.model_folder import ModelFolder
from services.diffusion.torch_options import TorchOptions

BUILT_IN = Path(__file__).with_name("catalogue.toml")


class ModelEntry(Limits, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[model]]` of a catalogue file."""

    id: str
    source: str
    """Hub id, or a folder: absolute, from home (`~`), or from the file's own folder when it begins with a dot."""
    family: str = ""
    """Needed for hub ids; a folder's own model_index.json says it."""
    names: tuple[str, ...] = ()
    """Other names that the model answers to; it always answers to its source."""
    variant: str | None = None
    """Suffix of a set of 16-bit weights in the source (`fp16`), used where the dtype is 16-bit."""
    gated: bool = False
    """Whether the hub asks to accept a licence first."""
    memory_gb: float | None = None
    """Weights at 16 bits, in 10^9 bytes; float32 takes twice that."""
    sha256: dict[str, str] = msgspec.field(default_factory=dict)
    """Of files by their path in the source; verified when the model is loaded."""
    torch: TorchOptions = TorchOptions()
    """What torch may do to it, where that differs from the settings."""


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One model, resolved: what is announced of it and where its weights are."""

    info: ModelInfo
    family: Family
    names: tuple[str, ...]
    source: str
    """Hub id or folder."""
    revision: str
    folder: Path | None
    """None while the weights are on the hub or in its cache."""
    variant: str | None = None
    gated: bool = False
    memory_gb: float | None = None
    native_side: int | None = None
    """Pixels of the short side of every picture, as drawn; it is then resampled to the size asked. None: as asked."""
    lora_widths: tuple[int, ...] = ()
    """As `Family.lora_widths`."""
    sha256: dict[str, str] = msgspec.field(default_factory=dict)
    torch: TorchOptions = TorchOptions()


class _File(msgspec.Struct, forbid_unknown_fields=True):
    model: tuple[ModelEntry, ...] = ()


class Catalogue:
    """Entries by name, the operator's first."""

    def __init__(self, own_file: str = "") -> None:
        files = [Path(own_file).expanduser()] if own_file else []
        self._entries = [(entry, path.parent) for path in [*files, BUILT_IN] for entry in _entries(path)]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(entry.id for entry, _ in self._entries))

    def find(self, name: str) -> Model:
        """The model called `name`, by id, other name, hub id or folder.

        Raises:
            EaselError: MODEL_NOT_FOUND, or what is wrong with the folder or the entry.
        """
        for entry, base in self._entries:
            if name.lower() in {word.lower() for word in (entry.id, entry.source, *entry.names)}:
                return _resolve(entry, base)
        folder = Path(name).expanduser()
        if folder.exists():
            return _resolve(ModelEntry(id=folder.resolve().name, source=str(folder.resolve())), folder)
        message = (
            f"no model {name!r}: it is neither a folder nor one of {', '.join(self.ids)}; "
            "a model of the hub needs an entry with its family in the file that EASEL_DIFFUSION_MODELS_FILE names"
        )
        raise EaselError(ErrorCode.MODEL_NOT_FOUND, message, param="model")


def _entries(path: Path) -> tuple[ModelEntry, ...]:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=_File).model
    except (OSError, msgspec.DecodeError) as fault:
        raise EaselError(ErrorCode.INVALID_REQUEST, f"the model file {path} cannot be used: {fault}") from fault


def _resolve(entry: ModelEntry, base: Path) -> Model:
    path = Path(entry.source).expanduser()
    folder = (base / path).resolve() if path.is_absolute() or entry.source.startswith(".") else None
    if folder is None:
        family = families.by_name.get(entry.family)
        if family is None:
            known = ", ".join(families.by_name)
            message = f"model {entry.id!r}: its family {entry.family!r} is none of {known}"
            raise EaselError(ErrorCode.INVALID_REQUEST, message)
        limits = entry.or_else(family.limits)
        widths = family.lora_widths
        source = f"{entry.source}@{limits.revision or 'main'}"
    else:
        read = ModelFolder(_not_a_file(folder))
        family, limits, widths = read.family, entry.or_else(read.limits()), read.lora_widths()
        source = folder.name + (f"@{limits.revision}" if limits.revision else "")
    return Model(
        info=_info(entry, family, limits, source),
        family=family,
        names=(entry.id, entry.source, *entry.names),
        source=str(folder or entry.source),
        revision=limits.revision or "main",
        folder=folder,
        variant=entry.variant,
        gated=entry.gated,
        memory_gb=entry.memory_gb,
        native_side=limits.native_side,
        lora_widths=widths,
        sha256=entry.sha256,
        torch=entry.torch,
    )


def _not_a_file(folder: Path) -> Path:
    if folder.is_file():
        message = f"{folder} is a file: easel models add {folder} makes a model of it"
        raise EaselError(ErrorCode.UNSUPPORTED, message, param="model")
    return folder


def _info(entry: ModelEntry, family: Family, limits: Limits, source: str) -> ModelInfo:
    """Everything is stated by now: families state all limits but `max_pixels`."""
    values = {name: getattr(limits, name) for name in Limits.__struct_fields__}
    low, high = values["steps_range"]
    steps, scale = values["num_inference_steps"], values["guidance_scale"]
    info = ModelInfo(
        id=entry.id,
        family=family.name,
        default_width=values["width"],
        default_height=values["height"],
        size_multiple=values["size_multiple"],
        min_size=values["min_size"],
        max_size=values["max_size"],
        max_pixels=values["max_pixels"] or values["max_size"] ** 2,
        default_steps=steps,
        min_steps=low,
        max_steps=high,
        default_guidance_scale=scale,
        max_guidance_scale=max(scale, values["max_guidance_scale"]),
        negative_prompt=family.negative_prompt and values["max_guidance_scale"] > family.guided_above,
        licence=values["license"],
        source=source,
        img2img=True,
        inpaint=bool(family.inpaint),
        schedulers=values["schedulers"],
        caches=family.caches,
        cache=step_cache.chosen(limits.cache or "", family.caches),
    )
    _check(info)
    return info


def _check(info: ModelInfo) -> None:
    """A model whose defaults are outside its own limits would refuse every plain request."""
    sides = (info.default_width, info.default_height)
    if not info.min_steps <= info.default_steps <= info.max_steps:
        fault = f"{info.default_steps} steps are outside {info.min_steps} to {info.max_steps}"
    elif any(side % info.size_multiple or not info.min_size <= side <= info.max_size for side in sides):
        fault = (
            f"{sides[0]}x{sides[1]} is not within {info.min_size} to {info.max_size} in steps of {info.size_multiple}"
        )
    else:
        return
    raise EaselError(ErrorCode.INVALID_REQUEST, f"model {info.id!r}: its default of {fault}")
