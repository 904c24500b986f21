"""The operator's own models: what `easel models add` writes into the file that EASEL_DIFFUSION_MODELS_FILE names."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from contracts.errors import EaselError, ErrorCode
from services.diffusion.catalogue import Catalogue, Model
from services.diffusion.checkpoint import Checkpoint
from services.diffusion.model_folder import INDEX, ModelFolder


class NewModel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry as it is written: what is not said stays with the folder and its family."""

    id: str
    source: str
    family: str = ""
    revision: str | None = None
    variant: str | None = None


def add_model(
    file: Path, source: str, name: str = "", revision: str = "", variant: str = "", *, config: str = ""
) -> Model:
    """Add a folder, a single file, or a repository of the hub, which is fetched now; the model as it will be offered.

    A single file (.safetensors of Stable Diffusion 1 or SDXL) becomes a folder beside `file` that is called as the
    model; the original is not needed afterwards. `config` is a folder in diffusers format of the same architecture,
    for others than the published ones.

    Downloads resume, are checked against the hub's hashes, show their progress on stderr and heed `HF_TOKEN` and
    `HF_HUB_OFFLINE`. The commit found is written down, so that the publisher cannot change the model unseen.

    Raises:
        EaselError: what is wrong with the source or the file, and what to do; nothing is written then.
    """
    path = Path(source).expanduser()
    if path.exists() or source.startswith((".", "/", "~")):
        entry = _file_entry(file, path, name, config) if path.is_file() else _folder_entry(path, name)
    else:
        entry = _hub_entry(source, name, revision, variant)
    _refuse_taken(file, entry)
    before = file.read_text(encoding="utf-8") if file.is_file() else ""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(before + _toml(entry, after=before), encoding="utf-8")
    try:
        return Catalogue(str(file)).find(entry.id)
    except EaselError:
        file.write_text(before, encoding="utf-8")
        raise


def _folder_entry(path: Path, name: str) -> NewModel:
    folder = ModelFolder(path.resolve())
    return NewModel(id=name or folder.path.name, source=str(folder.path))


def _file_entry(file: Path, path: Path, name: str, config: str) -> NewModel:
    checkpoint = Checkpoint(path)
    architecture = checkpoint.config(config)
    entry = NewModel(id=name or path.stem, source=str((file.parent / (name or path.stem)).resolve()))
    _refuse_taken(file, entry)
    if Path(entry.source).exists():
        message = f"{entry.source}, where the model would be kept, is there already: choose another name with --name"
        raise EaselError(ErrorCode.CONFLICT, message, param="name")
    try:
        from services.diffusion.engines.single_file import convert  # noqa: PLC0415  imports torch
    except ImportError as fault:
        message = f"converting a single file needs {fault.name}: pip install 'easel[diffusion]'"
        raise EaselError(ErrorCode.ENGINE_FAILED, message) from fault
    convert(checkpoint, architecture, Path(entry.source))
    return entry


def _hub_entry(source: str, name: str, revision: str, variant: str) -> NewModel:
    try:
        from services.diffusion.engines.weights import fetch_repository  # noqa: PLC0415  imports torch
    except ImportError as fault:
        message = f"fetching from the hub needs {fault.name}: pip install 'easel[diffusion]'"
        raise EaselError(ErrorCode.ENGINE_FAILED, message) from fault
    folder = ModelFolder(fetch_repository(source, revision or "main", variant or None, INDEX))
    return NewModel(
        id=name or source.rsplit("/", 1)[-1].lower(),
        source=source,
        family=folder.family.name,
        revision=folder.path.name,
        variant=variant or None,
    )


def _refuse_taken(file: Path, entry: NewModel) -> None:
    catalogue = Catalogue(str(file) if file.is_file() else "")
    if entry.id in catalogue.ids:
        message = f"there is a model {entry.id!r} already: choose another name with --name"
        raise EaselError(ErrorCode.CONFLICT, message, param="name")


def _toml(entry: NewModel, *, after: str) -> str:
    """A JSON string of ASCII is a TOML string too."""
    lines = [f"{field} = {json.dumps(value)}" for field, value in msgspec.to_builtins(entry).items()]
    separator = "\n" if after and not after.endswith("\n\n") else ""
    return separator + "\n".join(["[[model]]", *lines]) + "\n"
