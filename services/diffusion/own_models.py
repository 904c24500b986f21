"""The operator's own models: what `easel models add` writes into the file that EASEL_DIFFUSION_MODELS_FILE names."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from contracts.errors import EaselError, ErrorCode
from services.diffusion.catalogue import Catalogue, Model
from services.diffusion.model_folder import INDEX, ModelFolder


class NewModel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry as it is written: what is not said stays with the folder and its family."""

    id: str
    source: str
    family: str = ""
    revision: str | None = None
    variant: str | None = None


def add_model(file: Path, source: str, name: str = "", revision: str = "", variant: str = "") -> Model:
    """Add a folder, or a repository of the hub, which is fetched now; the model as it will be offered.

    Downloads resume, are checked against the hub's hashes, show their progress on stderr and heed `HF_TOKEN` and
    `HF_HUB_OFFLINE`. The commit found is written down, so that the publisher cannot change the model unseen.

    Raises:
        EaselError: what is wrong with the source or the file, and what to do; nothing is written then.
    """
    path = Path(source).expanduser()
    if path.exists() or source.startswith((".", "/", "~")):
        entry = _folder_entry(path, name)
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
    if path.is_file():
        message = (
            f"{path} is a file; Easel reads folders in diffusers format: convert it once with diffusers' "
            "from_single_file(...).save_pretrained(FOLDER)"
        )
        raise EaselError(ErrorCode.UNSUPPORTED, message)
    folder = ModelFolder(path.resolve())
    return NewModel(id=name or folder.path.name, source=str(folder.path))


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
