"""Embeddings are kept within their bytes, the ones unused for longest leave, nobody changes another's."""

from __future__ import annotations

import pytest

pytest.importorskip("diffusers")

import torch

from services.diffusion.engines.prompt_cache import PromptCache


def embeddings() -> tuple[torch.Tensor, None]:
    """100 bytes."""
    return torch.rand(25), None


def test_the_same_tensors_come_again() -> None:
    cache = PromptCache(1000)
    made = cache.find("a", embeddings)
    assert cache.find("a", embeddings)[0] is made[0]
    assert cache.find("b", embeddings)[0] is not made[0]


def test_the_one_unused_for_longest_leaves() -> None:
    cache = PromptCache(250)
    first, second = (cache.find(name, embeddings)[0] for name in "ab")
    assert cache.find("a", embeddings)[0] is first
    cache.find("c", embeddings)
    assert cache.find("a", embeddings)[0] is first
    assert cache.find("b", embeddings)[0] is not second


@pytest.mark.parametrize("limit", [0, 99])
def test_what_does_not_fit_is_not_kept(limit: int) -> None:
    cache = PromptCache(limit)
    assert cache.find("a", embeddings)[0] is not cache.find("a", embeddings)[0]


def test_a_pipeline_may_lengthen_its_list() -> None:
    cache = PromptCache(1000)
    cache.find("a", lambda: ([torch.rand(1)], []))[0].append(torch.rand(1))
    assert len(cache.find("a", lambda: ([], []))[0]) == 1
