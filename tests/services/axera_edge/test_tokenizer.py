"""Prompts become CLIP's numbers without transformers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from contracts.errors import EaselError
from services.axera_edge.tokenizer import PromptTokenizer
from tests.support.edge_models import POCKET

PROMPTS = [
    "a cat wearing sunglasses",
    "  Astronauts in a JUNGLE,\n cold colour palette -- 8k!! ",
    "it's l'été, 猫が走る 🦊, e\u0301",
    "<|endoftext|> a fox <|startoftext|>",
    "",
    "a very long prompt " * 40,
]


@pytest.fixture(scope="module")
def clip_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model's vocabulary in the two files that the card's models come with."""
    model = json.loads((POCKET / "tokenizer/tokenizer.json").read_text())["model"]
    folder = tmp_path_factory.mktemp("clip")
    pairs = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    special = {"<|startoftext|>": 1570, "<|endoftext|>": 1571}
    (folder / "vocab.json").write_text(json.dumps(model["vocab"] | special))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs, ""]))
    return folder


@pytest.mark.parametrize("prompt", PROMPTS)
def test_vocabulary_and_merges_give_what_transformers_gives(clip_files: Path, prompt: str) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.CLIPTokenizer.from_pretrained(POCKET / "tokenizer")(
        prompt, padding="max_length", truncation=True, max_length=32
    )["input_ids"]
    assert PromptTokenizer(clip_files, 32)(prompt).tolist() == [theirs]
    assert PromptTokenizer(POCKET / "tokenizer/tokenizer.json", 32)(prompt).tolist() == [theirs]


def test_a_prompt_is_a_row_of_32_bit_numbers_padded_with_the_end(clip_files: Path) -> None:
    row = PromptTokenizer(clip_files, 77)("a fox")
    assert (row.shape, row.dtype) == ((1, 77), np.int32)
    assert (row[0, 0], set(row[0, 10:].tolist())) == (1570, {1571})


def test_a_tokenizer_of_another_kind_is_told_by_its_missing_tokens(tmp_path: Path) -> None:
    from tokenizers.models import BPE

    Tokenizer(BPE(vocab={"a": 0}, merges=[])).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(EaselError, match="startoftext"):
        PromptTokenizer(tmp_path / "tokenizer.json", 77)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{")
    (tmp_path / "merges.txt").write_text("")
    with pytest.raises(EaselError, match=str(tmp_path)):
        PromptTokenizer(tmp_path, 77)
