"""Small work stays on one thread, and everything else keeps those it had."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from services.diffusion.engines.one_thread import one_thread


def in_another_thread() -> int:
    """OpenMP threads that torch would use there."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def two_threads() -> Iterator[None]:
    """As on a machine with two cores, whatever this one has."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_torch_works_on_one_thread_inside_and_on_as_many_as_before_afterwards() -> None:
    """In the thread that asked."""
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_other_threads_keep_theirs() -> None:
    """Those that begin inside too."""
    with one_thread():
        assert in_another_thread() == 2


@pytest.mark.usefixtures("two_threads")
def test_what_fails_inside_leaves_the_number_as_it_was() -> None:
    """A preview that goes wrong does not slow the picture down."""
    with pytest.raises(ValueError, match="broken"), one_thread():
        raise ValueError("broken")
    assert torch.get_num_threads() == 2
