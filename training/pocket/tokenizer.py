"""Pocket's own byte-level BPE tokenizer, in CLIP's format, learned from its captions."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from .captions import caption
from .scenes import random_spec

MAX_LENGTH = 32
VOCABULARY = 1600
_CAPTIONS = 60_000
_START, _END = "<|startoftext|>", "<|endoftext|>"


def train_tokenizer(seed: int, captions: int = _CAPTIONS) -> CLIPTokenizer:
    """Learn merges from training captions. Every byte is in the vocabulary, so no word is ever unknown."""
    rng = random.Random(seed)
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.normalizer = normalizers.Lowercase()
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    endings = [f"{char}</w>" for char in alphabet]
    # As special tokens the endings get their numbers first; else ties between merges fall as a hash table pleases.
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        initial_alphabet=alphabet,
        special_tokens=endings,
        min_frequency=12,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner.train_from_iterator((caption(random_spec(rng), rng) for _ in range(captions)), trainer)
    merges = _merges(learner)
    tokens = dict.fromkeys([*alphabet, *endings, *("".join(pair) for pair in merges), _START, _END])
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(tokens)},
        merges=merges,
        unk_token=_END,
        pad_token=_END,
        model_max_length=MAX_LENGTH,
    )


def _merges(learner: Tokenizer) -> list[tuple[str, str]]:
    """The learned merges, in order of rank."""
    return [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]


def load_tokenizer(workdir: Path, seed: int) -> CLIPTokenizer:
    """The tokenizer of a work directory, learned on first use."""
    folder = workdir / "tokenizer"
    if not folder.exists():
        train_tokenizer(seed).save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)
