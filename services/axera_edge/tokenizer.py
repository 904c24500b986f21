"""Prompts to numbers: CLIP's byte-pair encoding by the `tokenizers` package, without transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from contracts.errors import EaselError, ErrorCode
from services.axera_edge.noise import Array

START, END = "<|startoftext|>", "<|endoftext|>"
_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class PromptTokenizer:
    """Start, at most `length - 2` tokens of the prompt, end; padded with the end."""

    def __init__(self, path: Path, length: int) -> None:
        """`path`: a `tokenizer.json`, or a folder with CLIP's `vocab.json` and `merges.txt`.

        Raises:
            EaselError: ENGINE_FAILED, the files cannot be read.
        """
        self._length = length
        try:
            self._tokenizer = Tokenizer.from_file(str(path)) if path.is_file() else _clip(path)
        except Exception as fault:  # the package raises plain `Exception`
            raise EaselError(ErrorCode.ENGINE_FAILED, f"the tokenizer in {path} cannot be read: {fault}") from fault
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._start, self._end = (self._id(token, path) for token in (START, END))

    def _id(self, token: str, path: Path) -> int:
        number: int | None = self._tokenizer.token_to_id(token)
        if number is None:
            raise EaselError(ErrorCode.ENGINE_FAILED, f"the tokenizer in {path} has no {token}; it is not CLIP's")
        return number

    def __call__(self, prompt: str) -> Array:
        """int32 (1, length)."""
        words = self._tokenizer.encode(prompt, add_special_tokens=False).ids[: self._length - 2]
        row = [self._start, *words] + [self._end] * (self._length - 1 - len(words))
        return np.array([row], np.int32)


def _clip(folder: Path) -> Any:
    model = models.BPE.from_file(
        str(folder / "vocab.json"), str(folder / "merges.txt"), end_of_word_suffix="</w>", unk_token=END
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.add_special_tokens([START, END])
    return tokenizer
