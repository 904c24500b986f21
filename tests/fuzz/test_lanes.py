"""Every lane on its kept corpus, and on what hypothesis makes of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.api.sdapi.png_info import read_png_info
from tests.fuzz import lanes

CORPUS = Path(__file__).with_name("corpus")
KEPT = [(lane, file) for lane in lanes.LANES for file in sorted((CORPUS / lane).iterdir())]


@pytest.mark.parametrize(("lane", "file"), KEPT, ids=[f"{lane}-{file.name}" for lane, file in KEPT])
def test_kept_inputs_are_answered_or_refused(lane: str, file: Path) -> None:
    lanes.run(lane, file.read_bytes())


def changed(data: bytes) -> st.SearchStrategy[bytes]:
    """Cut, with a few bytes replaced."""
    spot = st.integers(0, max(0, len(data) - 1))

    def apply(edits: list[tuple[int, int]], end: int) -> bytes:
        made = bytearray(data)
        for at, value in edits:
            if made:
                made[at] = value
        return bytes(made[: end or None])

    return st.builds(apply, st.lists(st.tuples(spot, st.integers(0, 255)), max_size=6), st.integers(0, len(data)))


@pytest.mark.parametrize("lane", lanes.LANES)
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_inputs_near_the_kept_ones_and_far_from_them_are_too(lane: str, data: st.DataObject) -> None:
    near = [changed(file.read_bytes()) for kept, file in KEPT if kept == lane]
    lanes.run(lane, data.draw(st.one_of(st.binary(max_size=300), *near)))


@pytest.mark.parametrize("text", [" " * 200_000, "a" * 200_000, '"' * 200_000, 'a: "' + "\\" * 200_000, "a:" * 100_000])
def test_a_text_of_a_picture_cannot_hold_the_gateway_up(text: str) -> None:
    """It is read in the loop that everybody waits for; a regular expression took minutes for the first of these."""
    body = b"parameters\0" + text.encode("latin-1")
    began = time.process_time()
    read_png_info(b"\x89PNG\r\n\x1a\n" + len(body).to_bytes(4, "big") + b"tEXt" + body + bytes(4))
    assert time.process_time() - began < 2
