"""Grounds and simple shapes as SVG fragments on a 256 x 256 canvas."""

from __future__ import annotations

import random
from math import cos, pi, sin

from .objects import COLOURS

DEFAULT_GROUND = (222, 236, 246)
_SKY = {"day": ("#8fd0f8", "#d8f1ff"), "sunset": ("#7d4a9e", "#ffb056"), "night": ("#0a1030", "#26326e")}
_LAND = {  # place: (day, sunset, night) colour of the land
    "snow": ("#f6fafd", "#f3d9d8", "#b4c4e6"),
    "grass": ("#7cc653", "#8a9a3c", "#2b5c3a"),
    "park": ("#86cc5a", "#93a040", "#2f6240"),
    "beach": ("#f2d899", "#e0a868", "#8a7a66"),
    "sea": ("#2f8fd0", "#7a5a9c", "#163a72"),
    "desert": ("#ecc074", "#d88a48", "#7c6450"),
    "mountains": ("#8cb86a", "#80704e", "#2c4840"),
    "forest": ("#5a9e48", "#6a7434", "#1f4a34"),
    "city": ("#8f959c", "#7c6470", "#3a3e52"),
    "room": ("#c08850", "#a86a44", "#6a4a3c"),
}
_STARS = (
    (18, 0.12),
    (52, 0.36),
    (34, 0.68),
    (86, 0.1),
    (104, 0.48),
    (72, 0.8),
    (140, 0.22),
    (150, 0.7),
    (178, 0.44),
    (196, 0.84),
    (120, 0.9),
    (236, 0.56),
    (240, 0.9),
    (14, 0.92),
)  # x in pixels, y as a fraction of the sky
_TIME = {"day": 0, "sunset": 1, "night": 2}


def rgb(colour: tuple[int, int, int]) -> str:
    return f"rgb{colour}"


def _rect(x: float, y: float, w: float, h: float, fill: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill="{fill}"/>'


def _disc(x: float, y: float, r: float, fill: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}" fill="{fill}"/>'


def _polygon(points: list[tuple[float, float]], fill: str) -> str:
    return f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}" fill="{fill}"/>'


def _sky(sky: str, horizon: float, rng: random.Random) -> str:
    top, bottom = _SKY[sky]
    svg = (
        f'<defs><linearGradient id="s" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{top}"/>'
        f'<stop offset="1" stop-color="{bottom}"/></linearGradient></defs>'
        f'<rect width="256" height="{horizon:.1f}" fill="url(#s)"/>'
    )
    if sky == "sunset":
        svg += _disc(128, horizon, 44, "#ffdf6a")
    elif sky == "day":
        for left, top_edge in ((44, 34), (206, 46)):
            x, y = left + rng.uniform(-14, 14), top_edge + rng.uniform(-8, 8)
            svg += "".join(
                _disc(x + dx, y + dy, r, "#ffffff") for dx, dy, r in ((-15, 3, 10), (0, -3, 14), (15, 3, 10))
            )
    else:
        svg += _disc(214 + rng.uniform(-6, 6), 38 + rng.uniform(-4, 4), 16, "#f6edc0")
        for x, y in _STARS:
            svg += _disc(x + rng.uniform(-6, 6), y * horizon + rng.uniform(-3, 3), rng.uniform(1.6, 2.8), "#ffffff")
    return svg


def _tree(x: float, base: float, h: float, leaf: str) -> str:
    return _rect(x - 4, base - h * 0.3, 8, h * 0.3, "#6b4a30") + _disc(x, base - h * 0.6, h * 0.38, leaf)


def _pine(x: float, base: float, h: float, leaf: str) -> str:
    return _rect(x - 4, base - h * 0.2, 8, h * 0.2, "#5c4030") + _polygon(
        [(x, base - h), (x - h * 0.3, base - h * 0.18), (x + h * 0.3, base - h * 0.18)], leaf
    )


def _leaf(time: int) -> str:
    return ("#3f9a40", "#5c6a2c", "#1a4430")[time]


def _snow(time: int, horizon: float, rng: random.Random) -> str:
    hill = _disc(40, horizon + 34, 60, "#ffffff" if time == 0 else _LAND["snow"][time])
    flakes = ((i * 53 % 256 + rng.uniform(-9, 9), i * 37 % 230 + rng.uniform(0, 20)) for i in range(18))
    return hill + "".join(_disc(x, y, rng.uniform(2.2, 4), "#ffffff") for x, y in flakes)


def _park(time: int, horizon: float, _rng: random.Random) -> str:
    path = _polygon([(110, horizon), (146, horizon), (214, 256), (42, 256)], ("#d9c69a", "#b08e60", "#6a6458")[time])
    return path + "".join(_tree(x, horizon + 8, 92, _leaf(time)) for x in (28, 228))


def _forest(time: int, horizon: float, rng: random.Random) -> str:
    trunks = (14, 62, 110, 158, 206, 248)
    return "".join(_pine(x + rng.uniform(-5, 5), horizon + 10, 120 + rng.uniform(-12, 12), _leaf(time)) for x in trunks)


def _beach(time: int, horizon: float, _rng: random.Random) -> str:
    return _rect(0, horizon - 30, 256, 34, _LAND["sea"][time]) + _rect(0, horizon + 2, 256, 5, "#ffffff")


def _sea(time: int, horizon: float, rng: random.Random) -> str:
    wave = ("#7cc0ea", "#c890a0", "#3c62a0")[time]
    return "".join(_rect((i * 89) % 220 + rng.uniform(-9, 9), horizon + 12 + i * 13, 38, 4, wave) for i in range(8))


def _mountains(time: int, horizon: float, _rng: random.Random) -> str:
    rock, svg = ("#7888a0", "#6a4a6c", "#303c60")[time], ""
    for x, h in ((50, 96), (196, 108), (124, 140)):
        svg += _polygon([(x - h * 0.8, horizon + 1), (x, horizon - h), (x + h * 0.8, horizon + 1)], rock)
        cap = horizon - h * 0.72
        svg += _polygon([(x - h * 0.22, cap), (x, horizon - h), (x + h * 0.22, cap)], "#f4f7fb")
    return svg


def _desert(time: int, horizon: float, _rng: random.Random) -> str:
    return _disc(60, horizon + 66, 90, ("#f4d090", "#e09c58", "#8a7058")[time])


def _city(time: int, horizon: float, rng: random.Random) -> str:
    wall, glass = (("#6c7c94", "#d4e4f0"), ("#5c4468", "#ffd880"), ("#20263e", "#ffe27a"))[time]
    svg = ""
    for x, w, storeys in ((0, 44, 110), (46, 36, 76), (84, 40, 134), (128, 38, 92), (168, 42, 122), (212, 44, 84)):
        h = storeys + rng.uniform(-8, 8)
        svg += _rect(x, horizon - h, w, h, wall) + "".join(
            _rect(x + dx, horizon - h + 10 + row * 20, 8, 10, glass)
            for dx in (8, w - 16)
            for row in range(int(h // 20))
        )
    return svg


#: what makes a place recognisable, drawn over sky and land
_DETAILS = {
    "snow": _snow, "park": _park, "forest": _forest, "beach": _beach, "sea": _sea, "mountains": _mountains,
    "desert": _desert, "city": _city,
}  # fmt: skip


def _room(sky: str, time: int, rng: random.Random) -> str:
    """A window with the sky behind it, and the sill or floor below."""
    wall = ("#f3e3c6", "#e8bf98", "#8c7a86")[time]
    pane = f'<g transform="translate(48,22) scale(0.625,0.7)">{_sky(sky, 256, rng)}</g>'
    frame = (
        '<rect x="48" y="22" width="160" height="164" fill="none" stroke="#ffffff" stroke-width="9"/>'
        + _rect(124, 22, 8, 164, "#ffffff")
        + _rect(48, 98, 160, 8, "#ffffff")
    )
    clip = '<clipPath id="w"><rect x="48" y="22" width="160" height="164"/></clipPath>'
    return (
        _rect(0, 0, 256, 256, wall)
        + f'{clip}<g clip-path="url(#w)">{pane}</g>'
        + frame
        + _rect(0, 190, 256, 66, _LAND["room"][time])
        + _rect(0, 188, 256, 8, "#ffffff")
    )


def ground_svg(place: str | None, sky: str, colour: str | None, rng: random.Random) -> str:
    """The ground of a picture: a place under a sky, a plain colour, or the plain default."""
    if place is None:
        return _rect(0, 0, 256, 256, rgb(COLOURS[colour] if colour else DEFAULT_GROUND))
    time = _TIME[sky]
    if place == "sky":
        return _sky(sky, 256, rng)
    if place == "room":
        return _room(sky, time, rng)
    horizon = 152 + rng.choice((-8, 0, 8))
    land = _rect(0, horizon, 256, 256 - horizon, _LAND[place][time])
    details = _DETAILS[place](time, horizon, rng) if place in _DETAILS else ""
    return _sky(sky, horizon, rng) + land + details


def _star(x: float, y: float, r: float) -> list[tuple[float, float]]:
    return [
        (x + r * (1 if i % 2 == 0 else 0.42) * sin(i * pi / 5), y - r * (1 if i % 2 == 0 else 0.42) * cos(i * pi / 5))
        for i in range(10)
    ]


def shape_svg(form: str, colour: str, x: float, y: float, side: float) -> str:
    """A simple shape of about ``side`` pixels centred on (x, y)."""
    fill, r = rgb(COLOURS[colour]), side / 2
    if form == "circle":
        return _disc(x, y, r * 0.95, fill)
    if form == "oval":
        return f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{r:.1f}" ry="{r * 0.58:.1f}" fill="{fill}"/>'
    if form == "square":
        return _rect(x - r * 0.85, y - r * 0.85, r * 1.7, r * 1.7, fill)
    if form == "rectangle":
        return _rect(x - r, y - r * 0.5, side, r, fill)
    if form == "heart":
        return (
            f'<path transform="translate({x:.1f},{y:.1f}) scale({r:.2f})" fill="{fill}" d="M0,0.95 C-1.3,0.1 -1.05,-0.9 '
            f'-0.5,-0.9 C-0.2,-0.9 0,-0.65 0,-0.45 C0,-0.65 0.2,-0.9 0.5,-0.9 C1.05,-0.9 1.3,0.1 0,0.95Z"/>'
        )
    points = {
        "triangle": [(x, y - r * 0.9), (x - r, y + r * 0.8), (x + r, y + r * 0.8)],
        "diamond": [(x, y - r), (x - r * 0.75, y), (x, y + r), (x + r * 0.75, y)],
        "star": _star(x, y, r * 1.05),
    }
    return _polygon(points[form], fill)
