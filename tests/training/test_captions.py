"""Captions and the pictures they belong to."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("resvg_py")

from training.pocket.captions import caption, plural
from training.pocket.objects import NAMES, THINGS
from training.pocket.scenes import Spec, random_spec


def test_a_picture_is_worded_in_many_ways() -> None:
    rng = random.Random(1)
    spec = Spec(things=("fox",), place="snow")
    assert len({caption(spec, rng) for _ in range(200)}) > 60


@pytest.mark.parametrize("thing", THINGS, ids=NAMES)
def test_every_caption_mentions_its_thing(thing) -> None:
    rng = random.Random(2)
    names = {*thing.names, *map(plural, thing.names)}
    for _ in range(30):
        text = caption(Spec(things=(thing.name,), colour="blue"), rng)
        assert any(name in text for name in names), text
        assert "blue" in text


def test_no_two_things_share_a_name() -> None:
    names = [name for thing in THINGS for name in thing.names]
    assert len(names) == len(set(names))
    assert len(THINGS) >= 100


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("fox", "foxes"),
        ("mouse", "mice"),
        ("loaf of bread", "loaves of bread"),
        ("cherries", "cherries"),
        ("strawberry", "strawberries"),
        ("tomato", "tomatoes"),
        ("monkey", "monkeys"),
        ("polar bear", "polar bears"),
    ],
)
def test_plurals_are_english(noun: str, expected: str) -> None:
    assert plural(noun) == expected


def test_combinations_held_out_never_appear_in_training() -> None:
    rng = random.Random(3)
    seen = {(spec.things, spec.shapes, spec.ground) for spec in (random_spec(rng) for _ in range(20_000))}
    held_out = [random_spec(rng, held_out=True) for _ in range(300)]
    assert not any((spec.things, spec.shapes, spec.ground) in seen for spec in held_out)
    assert all(spec.held_out() for spec in held_out)


def test_the_same_seed_gives_the_same_captions() -> None:
    first, second = (
        [caption(random_spec(rng), rng) for _ in range(100)] for rng in (random.Random(4), random.Random(4))
    )
    assert first == second
