"""Composed pictures, with made-up artwork in place of the real."""

from __future__ import annotations

import random

import numpy as np
import pytest

pytest.importorskip("resvg_py")

from training.pocket.objects import COLOUR_NAMES, NAMES, SHAPES
from training.pocket.pixels import ground_colour, shapes_right
from training.pocket.scenes import CELLS, PLACES, RELATIONS, SKIES, Shape, Spec, compose, random_spec


@pytest.fixture(scope="module")
def sprites() -> np.ndarray:
    """A red disc for every thing: (things, 64, 64, 4)."""
    y, x = np.mgrid[:64, :64]
    disc = (((x - 31.5) ** 2 + (y - 31.5) ** 2) < 900)[..., None] * np.array([230, 40, 40, 255], np.uint8)
    return np.repeat(disc[None].astype(np.uint8), len(NAMES), axis=0)


@pytest.mark.parametrize("colour", COLOUR_NAMES)
def test_a_composition_has_the_asked_ground_colour(colour: str, sprites: np.ndarray) -> None:
    picture = compose(Spec(things=("cat",), colour=colour), sprites, random.Random(1))
    assert picture.shape == (256, 256, 3)
    assert ground_colour(picture) == colour


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("sky", SKIES)
def test_every_place_can_be_drawn_under_every_sky(place: str, sky: str, sprites: np.ndarray) -> None:
    empty, inhabited = (
        compose(Spec(things=things, place=place, sky=sky), sprites, random.Random(1)) for things in ((), ("dog",))
    )
    assert empty.std() > 0
    assert (empty != inhabited).any()


@pytest.mark.parametrize("form", SHAPES)
@pytest.mark.parametrize("relation", RELATIONS)
def test_shapes_stand_as_their_relation_says(form: str, relation: str, sprites: np.ndarray) -> None:
    spec = Spec(shapes=(Shape(form, "red"), Shape("square", "blue")), relation=relation, colour="white")
    assert shapes_right(compose(spec, sprites, random.Random(1)), spec) == (True, True)


@pytest.mark.parametrize("cell", CELLS)
def test_a_shape_stands_where_it_is_asked(cell: str, sprites: np.ndarray) -> None:
    spec = Spec(shapes=(Shape("circle", "green"),), cell=cell, size="small")
    picture = compose(spec, sprites, random.Random(1))
    assert shapes_right(picture, spec) == (True, True)
    elsewhere = Spec(shapes=spec.shapes, cell="centre" if cell != "centre" else "left", size="small")
    assert shapes_right(picture, elsewhere) == (True, False)


def test_the_same_seed_gives_the_same_picture(sprites: np.ndarray) -> None:
    def draw() -> np.ndarray:
        rng = random.Random(7)
        return np.stack([compose(random_spec(rng), sprites, rng) for _ in range(8)])

    assert np.array_equal(draw(), draw())
