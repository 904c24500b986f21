"""Weights from the hub, or from its cache, to a folder; and from a folder to memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import huggingface_hub.constants
import huggingface_hub.errors as hub
import structlog
import torch
import transformers
from huggingface_hub import hf_hub_download
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils.tqdm import disable_progress_bars
from safetensors import SafetensorError

from contracts.errors import EaselError, ErrorCode
from services.diffusion.catalogue import Model
from services.diffusion.integrity import blobs, check_blobs, check_files
from services.diffusion.model_folder import ModelFolder

log = structlog.get_logger()

LOAD_FAULTS = (OSError, ValueError, RuntimeError, TypeError, LookupError, AttributeError, ImportError, SafetensorError)
"""Everything seen when a folder is incomplete, damaged or made for other versions."""


def quieten_libraries() -> None:
    """Their warnings quote prompts and their bars garble the log; their failures come as exceptions."""
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
    disable_progress_bars()


def local_folder(model: Model, variant: str | None) -> ModelFolder:
    """Where the weights of `model` lie on this machine, fetched if need be.

    Raises:
        EaselError: MODEL_NOT_FOUND or ENGINE_FAILED, with what to do.
    """
    folder = ModelFolder(model.folder or _download(model, variant))
    if folder.family != model.family:
        message = f"{model.info.id} is listed as {model.family.name}, but {folder.path} holds {folder.family.name}"
        raise EaselError(ErrorCode.ENGINE_FAILED, message, param="model")
    check_files(folder.path, model.sha256)
    return folder


def load_parts(pipeline_class: Any, folder: ModelFolder, dtype: torch.dtype, variant: str | None, **parts: Any) -> Any:
    """The pipeline in `folder` in memory, but for `parts`, which are there already."""
    unchecked = {"safety_checker": None, "requires_safety_checker": False} if "safety_checker" in folder.index else {}
    pipe = pipeline_class.from_pretrained(
        folder.path, dtype=dtype, variant=variant, use_safetensors=True, local_files_only=True, **unchecked, **parts
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def weights_bytes(model: Model) -> float:
    """Bytes of all weights, in the dtype that they come in; infinite where nobody says."""
    if model.folder is not None:
        return ModelFolder(model.folder).weights_bytes()
    return float("inf") if model.memory_gb is None else model.memory_gb * 1e9


def numbers(model: Model) -> float:
    """How many numbers its weights are; 0 where nobody says."""
    if model.folder is not None:
        return ModelFolder(model.folder).weights_numbers()
    return (model.memory_gb or 0.0) * 1e9 / 2


def _download(model: Model, variant: str | None) -> Path:
    log.info("fetching weights unless they are cached", model=model.info.id, source=model.source)
    without = {"safety_checker": None} if model.family.pipeline.startswith(("StableDiffusionPipe", "Latent")) else {}
    try:
        return _fetched(model.source, revision=model.revision, variant=variant, **without)
    except LOAD_FAULTS as fault:
        raise explain_download(model, fault) from fault


def _fetched(source: str, **options: Any) -> Path:
    """What is not in the hub's cache yet is checked against the hashes that the hub states; its library does not."""
    repository = Path(huggingface_hub.constants.HF_HUB_CACHE) / repo_folder_name(repo_id=source, repo_type="model")
    before = blobs(repository)
    folder = Path(diffusers.DiffusionPipeline.download(source, use_safetensors=True, **options))
    check_blobs(blobs(repository) - before)
    return folder


def fetch_repository(source: str, revision: str, variant: str | None, index: str) -> Path:
    """All that a pipeline of the hub's repository `source` needs, in the folder of its commit; progress on stderr.

    `index` is the file that a repository in diffusers format has.

    Raises:
        EaselError: MODEL_NOT_FOUND or ENGINE_FAILED, with what to do.
    """
    try:
        hf_hub_download(source, index, revision=revision)
        return _fetched(source, revision=revision, variant=variant)
    except hub.RemoteEntryNotFoundError as fault:
        message = f"{source} is not a model in diffusers format: it has no {index}"
        raise EaselError(ErrorCode.MODEL_NOT_FOUND, message, param="model") from fault
    except LOAD_FAULTS as fault:
        raise explain_hub(source, revision, fault) from fault


def explain_download(model: Model, fault: BaseException) -> EaselError:
    """What to do, by the first cause that the hub's library names."""
    return explain_hub(model.source, model.revision, fault, gated=model.gated)


def explain_hub(source: str, revision: str, fault: BaseException, *, gated: bool = False) -> EaselError:
    """The same for a repository of which nothing is known but its name."""
    licence = f"accept its licence at https://huggingface.co/{source} and set HF_TOKEN to a token of that account"
    causes = _causes(fault)
    if any(isinstance(cause, hub.GatedRepoError) for cause in causes):
        return EaselError(ErrorCode.ENGINE_FAILED, f"{source} is gated: {licence}", param="model")
    if any(isinstance(cause, hub.RepositoryNotFoundError | hub.RevisionNotFoundError) for cause in causes):
        message = (
            f"the hub has no {source} at revision {revision!r}, or it is private: check both names "
            "and, for a private model, HF_TOKEN"
        )
        return EaselError(ErrorCode.MODEL_NOT_FOUND, message, param="model")
    if "safetensors" in str(fault):
        message = f"{source} has no safetensors weights for all its parts; others are never loaded"
        return EaselError(ErrorCode.ENGINE_FAILED, message, param="model")
    message = (
        f"the weights of {source} are not on this machine and could not be fetched: check the connection and "
        "HF_HUB_OFFLINE, or bring them as a folder in diffusers format and name it in EASEL_DIFFUSION_MODELS"
    )
    return EaselError(ErrorCode.ENGINE_FAILED, message + (f"; it is gated: {licence}" if gated else ""), param="model")


def _causes(fault: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while fault is not None and fault not in found:
        found.append(fault)
        fault = fault.__cause__ or fault.__context__
    return found
