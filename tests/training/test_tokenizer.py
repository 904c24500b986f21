"""The tokenizer pocket learns from its captions."""

from __future__ import annotations

import pytest

pytest.importorskip("resvg_py")
pytest.importorskip("transformers")

from training.pocket.tokenizer import MAX_LENGTH, train_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(seed=0, captions=3000)


@pytest.mark.parametrize("text", ["xylophone", "zürich", "龍", "🦊", "qqq-zz!"])
def test_unknown_words_survive_the_round_trip(tokenizer, text: str) -> None:
    ids = tokenizer(f"a {text} cat").input_ids
    assert text.replace(" ", "") in tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "")


def test_common_words_are_one_token(tokenizer) -> None:
    assert len(tokenizer("a red circle on a blue background").input_ids) == 7 + 2


def test_case_does_not_matter(tokenizer) -> None:
    assert tokenizer("A Red FOX").input_ids == tokenizer("a red fox").input_ids


def test_long_prompts_are_cut_to_length(tokenizer) -> None:
    ids = tokenizer("cat " * 100, truncation=True, max_length=MAX_LENGTH).input_ids
    assert len(ids) == MAX_LENGTH
    assert ids[-1] == tokenizer.eos_token_id


def test_learning_is_deterministic(tokenizer) -> None:
    assert train_tokenizer(seed=0, captions=3000).get_vocab() == tokenizer.get_vocab()
