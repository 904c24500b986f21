"""Step caches are asked for by name, with a setting or the model's usual one."""

from __future__ import annotations

import pytest

from contracts.errors import EaselError, ErrorCode
from contracts.step_cache import chosen, parse

OFFERED = ("deepcache:3",)


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("", ""),
        ("none", ""),
        ("deepcache", "deepcache:3"),
        ("deepcache:5", "deepcache:5"),
        ("deepcache:4.0", "deepcache:4"),
    ],
)
def test_a_cache_gets_the_models_usual_setting_where_none_is_said(asked: str, got: str) -> None:
    assert chosen(asked, OFFERED) == got


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("first_block_cache", ErrorCode.UNSUPPORTED),
        ("first_block_cache:0.1", ErrorCode.UNSUPPORTED),
        ("teacache", ErrorCode.INVALID_REQUEST),
        ("deepcache:1", ErrorCode.INVALID_REQUEST),
        ("deepcache:2.5", ErrorCode.INVALID_REQUEST),
        ("deepcache:11", ErrorCode.INVALID_REQUEST),
        ("deepcache:nan", ErrorCode.INVALID_REQUEST),
        ("deepcache:", ErrorCode.INVALID_REQUEST),
        (":", ErrorCode.INVALID_REQUEST),
        ("x" * 9000, ErrorCode.INVALID_REQUEST),
    ],
)
def test_what_no_cache_is_called_is_refused_by_its_field(asked: str, code: ErrorCode) -> None:
    with pytest.raises(EaselError) as caught:
        chosen(asked, OFFERED)
    assert (caught.value.code, caught.value.param) == (code, "cache")
    assert len(caught.value.message) < 300


def test_a_cache_that_only_newer_workers_know_hurts_nobody_else() -> None:
    assert chosen("deepcache", ("timewarp:9", *OFFERED)) == "deepcache:3"


def test_a_threshold_may_be_any_fraction() -> None:
    assert parse("first_block_cache:0.12") == ("first_block_cache", 0.12)
