"""Artwork to sprites: openly licensed emoji SVGs rendered to RGBA arrays."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import resvg_py
from PIL import Image

from .objects import THINGS

SPRITE_SIZE = 224
_ICON_SETS = ("fluent-emoji-flat", "noto")


def render_svg(svg: str) -> Image.Image:
    """Render one SVG document to an RGBA picture of the document's own size."""
    return Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("RGBA")


def _sprite(icon: dict, default_size: int) -> np.ndarray:
    """Render one icon, crop it to its ink and centre it on a square: (S, S, 4) uint8, premultiplied by nothing."""
    width, height = icon.get("width", default_size), icon.get("height", default_size)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{SPRITE_SIZE}" '
        f'height="{SPRITE_SIZE}" viewBox="{icon.get("left", 0)} {icon.get("top", 0)} {width} {height}">{icon["body"]}</svg>'
    )
    picture = render_svg(svg)
    ink = picture.crop(picture.getchannel("A").getbbox())
    ink.thumbnail((SPRITE_SIZE, SPRITE_SIZE), Image.Resampling.LANCZOS)
    scale = SPRITE_SIZE / max(ink.size)
    ink = ink.resize((round(ink.width * scale), round(ink.height * scale)), Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (SPRITE_SIZE, SPRITE_SIZE))
    square.paste(ink, ((SPRITE_SIZE - ink.width) // 2, (SPRITE_SIZE - ink.height) // 2))
    return np.asarray(square)


def render_sprites(artwork: Path) -> np.ndarray:
    """Sprites of every thing in the vocabulary's order: (things, S, S, 4) uint8.

    ``artwork`` holds one folder per icon set, as unpacked from the npm packages, each with its icons.json.
    """
    sets = {}
    for name in _ICON_SETS:
        document = json.loads((artwork / name / "icons.json").read_text())
        sets[name] = (document["icons"], document.get("height", 16))
    rendered = []
    for thing in THINGS:
        name, icon = thing.icon.split(":")
        icons, default_size = sets[name]
        rendered.append(_sprite(icons[icon], default_size))
    return np.stack(rendered)


def load_sprites(workdir: Path) -> np.ndarray:
    """The rendered sprites of a work directory, rendering them on first use."""
    path = workdir / "sprites.npy"
    if not path.exists():
        np.save(path, render_sprites(workdir / "artwork"))
    return np.load(path)
