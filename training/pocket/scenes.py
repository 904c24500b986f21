"""Composition of training pictures: what is drawn (`Spec`) and how (`compose`)."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

from .grounds import ground_svg, shape_svg
from .objects import COLOUR_NAMES, NAMES, SHAPES
from .sprites import render_svg

SIZE = 256
#: (width, height) of training pictures: the short side is always SIZE
FRAMES = ((256, 256), (320, 256), (384, 256), (448, 256), (256, 320), (256, 384), (256, 448))
PLACES = ("sky", "snow", "grass", "park", "beach", "sea", "desert", "mountains", "forest", "city", "room")
SKIES = ("day", "sunset", "night")
CELLS = ("centre", "left", "right", "top", "bottom", "top left", "top right", "bottom left", "bottom right")
RELATIONS = ("above", "below", "left of", "right of")
SIZES = {"small": 0.30, "medium": 0.62, "large": 0.85}
PAIR_SIZE = 0.40
HELD_OUT_PERCENT = 10


@dataclass(frozen=True)
class Shape:
    """A simple shape; ``colour`` is a key of COLOURS."""

    form: str
    colour: str


@dataclass(frozen=True)
class Spec:
    """One picture. Exactly one of ``place`` and ``colour`` names the ground; neither means the plain default ground."""

    things: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()
    place: str | None = None
    sky: str = "day"
    colour: str | None = None
    size: str = "medium"
    cell: str = "centre"
    relation: str | None = None
    sketch: bool = False

    @property
    def ground(self) -> str:
        return self.colour or (f"{self.place} {self.sky}" if self.place else "default")

    def held_out(self) -> bool:
        """True for the combinations of subject and ground that training never sees."""
        subjects = [*self.things, *(f"{s.colour} {s.form}" for s in self.shapes)]
        return any(_held_out(f"{subject}|{self.ground}") for subject in subjects)


def _held_out(combination: str) -> bool:
    if combination.endswith("|default"):
        return False
    return int(hashlib.sha256(combination.encode()).hexdigest()[:8], 16) % 100 < HELD_OUT_PERCENT


def _random_ground(rng: random.Random, scenery: float, colour: float) -> dict[str, str]:
    draw = rng.random()
    if draw < scenery:
        return {"place": rng.choice(PLACES), "sky": rng.choices(SKIES, (6, 2, 2))[0]}
    return {"colour": rng.choice(COLOUR_NAMES)} if draw < scenery + colour else {}


def _random_shapes(rng: random.Random) -> Spec:
    first = Shape(rng.choice(SHAPES), rng.choice(COLOUR_NAMES))
    ground = _random_ground(rng, 0.0, 0.6)
    if rng.random() < 0.5:
        second = Shape(rng.choice(SHAPES), rng.choice(COLOUR_NAMES))
        return Spec(shapes=(first, second), relation=rng.choice(RELATIONS), **ground)
    cell = rng.choice(CELLS) if rng.random() < 0.5 else "centre"
    size = rng.choice(tuple(SIZES)) if cell == "centre" else "small"
    return Spec(shapes=(first,), cell=cell, size=size, **ground)


def random_spec(rng: random.Random, held_out: bool = False) -> Spec:
    """Draw one picture from the training distribution, on the asked side of the held-out split."""
    while True:
        draw = rng.random()
        if draw < 0.16:
            spec = _random_shapes(rng)
        elif draw < 0.22:
            spec = Spec(place=rng.choice(PLACES), sky=rng.choices(SKIES, (5, 3, 2))[0], sketch=rng.random() < 0.04)
        elif draw < 0.29:
            first = rng.choice(NAMES)
            second = first if rng.random() < 0.5 else rng.choice(NAMES)
            spec = Spec(things=(first, second), **_random_ground(rng, 0.5, 0.3))
        else:
            size = "medium" if rng.random() < 0.88 else rng.choice(("small", "large"))
            spec = Spec(
                things=(rng.choice(NAMES),), size=size, sketch=rng.random() < 0.04, **_random_ground(rng, 0.5, 0.32)
            )
        if spec.colour and any(shape.colour == spec.colour for shape in spec.shapes):
            continue
        if spec.held_out() == held_out:
            return spec


def _paste(canvas: Image.Image, sprite: np.ndarray, x: float, y: float, scale: float) -> None:
    """Paste a sprite centred on (x, y) in fractions of the frame; `scale` is a fraction of its short side."""
    side = round(SIZE * scale)
    ink = Image.fromarray(sprite).resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    canvas.paste(ink, (round(canvas.width * x - side / 2), round(canvas.height * y - side / 2)), ink)


def centres(spec: Spec) -> list[tuple[float, float]]:
    """Where the subjects go, in fractions of the frame."""
    if spec.relation:
        pairs = {"above": ((0.5, 0.27), (0.5, 0.73)), "left of": ((0.27, 0.5), (0.73, 0.5))}
        pair = pairs.get(spec.relation) or pairs["above" if spec.relation == "below" else "left of"][::-1]
        return list(pair)
    if len(spec.things) == 2:
        return [(0.27, 0.55), (0.73, 0.55)]
    if spec.cell != "centre":
        x = 0.24 if "left" in spec.cell else 0.76 if "right" in spec.cell else 0.5
        y = 0.24 if "top" in spec.cell else 0.76 if "bottom" in spec.cell else 0.5
        return [(x, y)]
    return [(0.5, 0.56 if spec.place and spec.place != "sky" else 0.5)]


def _sketch(picture: Image.Image) -> Image.Image:
    """Pencil lines by dodging the grey picture with its own blurred negative."""
    grey = np.asarray(picture.convert("L"), np.float32)
    blurred = np.asarray(
        Image.fromarray(255 - grey.astype(np.uint8))
        .resize((picture.width // 8, picture.height // 8), Image.Resampling.BOX)
        .resize(picture.size, Image.Resampling.BICUBIC),
        np.float32,
    )
    lines = np.clip(grey * 255.0 / (256.0 - blurred), 60, 255).astype(np.uint8)
    return Image.fromarray(lines).convert("RGB")


def compose(spec: Spec, sprites: np.ndarray, rng: random.Random, frame: tuple[int, int] = (SIZE, SIZE)) -> np.ndarray:
    """Draw a spec: (height, width, 3) uint8 RGB. ``sprites`` is (things, S, S, 4) in vocabulary order.

    A wider or taller frame stretches the ground; things and shapes keep their proportions.
    """
    width, height = frame
    middles = centres(spec)
    pair = len(spec.things) + len(spec.shapes) == 2
    scale = PAIR_SIZE if pair else SIZES[spec.size]
    ground = ground_svg(spec.place, spec.sky, spec.colour, rng)
    body = f'<g transform="scale({width / SIZE},{height / SIZE})">{ground}</g>' + "".join(
        shape_svg(shape.form, shape.colour, x * width, y * height, scale * SIZE)
        for shape, (x, y) in zip(spec.shapes, middles, strict=False)
    )
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    canvas = render_svg(f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{body}</svg>').convert("RGB")
    for name, (x, y) in zip(spec.things, middles, strict=False):
        _paste(canvas, sprites[NAMES.index(name)], x, y, scale)
    return np.asarray(_sketch(canvas) if spec.sketch else canvas)
