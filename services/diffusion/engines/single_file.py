"""A model in one file becomes a folder in diffusers format, once; nothing is fetched for it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from contracts.errors import EaselError, ErrorCode
from services.diffusion.checkpoint import CONFIGS, Checkpoint
from services.diffusion.engines.weights import LOAD_FAULTS, quieten_libraries
from services.diffusion.model_folder import ModelFolder

PADDING = {"tokenizer": "<|endoftext|>", "tokenizer_2": "!"}


def convert(checkpoint: Checkpoint, config: ModelFolder, folder: Path) -> None:
    """Write `checkpoint` to `folder`, in the architecture of `config` and its own dtype; whole or not at all.

    Raises:
        EaselError: ENGINE_FAILED, its tensors are not those of the architecture.
    """
    quieten_libraries()
    kind = getattr(diffusers, config.family.pipeline)
    tokenizers = {name: _tokenizer(config, name) for name in PADDING if name in config.index}
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix="converting-"))
    try:
        pipe = kind.from_single_file(
            str(checkpoint.path),
            config=str(config.path),
            dtype=getattr(torch, checkpoint.dtype()),
            local_files_only=True,
            **tokenizers,
        )
        pipe.save_pretrained(made, safe_serialization=True)
        made.rename(folder)
    except LOAD_FAULTS as fault:
        said = next(iter(str(fault).strip().splitlines()), "")[:200]
        message = f"{checkpoint.path} does not fit the architecture in {config.path}: {type(fault).__name__}: {said}"
        raise EaselError(ErrorCode.ENGINE_FAILED, message) from fault
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _tokenizer(config: ModelFolder, name: str) -> Any:
    if (config.path / name).is_dir():
        return transformers.CLIPTokenizer.from_pretrained(config.path / name, local_files_only=True)
    return clip_tokenizer(PADDING[name])


def clip_tokenizer(pad: str) -> Any:
    """CLIP's own: a token for each byte, within words and at their ends, one for each merge, two special ones."""
    letters = _byte_letters()
    merges = [tuple(line.split()) for line in (CONFIGS / "clip_merges.txt").read_text(encoding="utf-8").splitlines()]
    tokens = [*letters, *(f"{it}</w>" for it in letters), *map("".join, merges), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    kind: Any = transformers.CLIPTokenizer  # its annotations say that merges are text
    return kind(vocab=vocabulary, merges=merges, pad_token=pad, model_max_length=77)


def _byte_letters() -> list[str]:
    """What byte-level tokenizers write bytes as: those that can be printed as themselves come first."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [*map(chr, plain), *(chr(256 + index) for index in range(256 - len(plain)))]
