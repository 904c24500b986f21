"""Names on the bus."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.subjects import Subjects, subject_token


@given(st.text(max_size=80))
def test_any_text_becomes_a_legal_token(text: str) -> None:
    """Host names and model ids are not chosen by us."""
    assert Subjects("easel").presence(subject_token(text)).count(".") == 2


@pytest.mark.parametrize("bad", ["", "a.b", ">", "a b", "x" * 65, "a\n"])
def test_a_token_that_would_change_the_subject_is_refused(bad: str) -> None:
    """Rather than sent somewhere else."""
    with pytest.raises(ValueError, match="cannot stand in a subject"):
        Subjects("easel").job("pool", bad)


@pytest.mark.parametrize("bad", ["", "Easel", "1x", "a.b", "x" * 40, "a_b"])
def test_a_bad_namespace_is_refused(bad: str) -> None:
    """It stands in every stream's name."""
    with pytest.raises(ValueError, match="namespace"):
        Subjects(bad)


def test_two_namespaces_share_no_name() -> None:
    """So that test suites, and installations, share a server."""
    one, two = Subjects("one"), Subjects("two")
    assert not {v for k, v in vars(one).items() if k.endswith("stream")} & set(vars(two).values())
    assert one.job("p", "j") != two.job("p", "j")
