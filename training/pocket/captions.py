"""Captions as varied as people's prompts: articles, plurals, synonyms, word order, filler and unknown words."""

from __future__ import annotations

import random

from . import wording
from .objects import COLOUR_NAMES, COLOUR_WORDS, MASS, SHAPE_WORDS, THINGS, Thing
from .scenes import Shape, Spec

_BY_NAME = {thing.name: thing for thing in THINGS}


def with_article(phrase: str) -> str:
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def plural(noun: str) -> str:
    """English plural of a name: the last word changes unless the name is plural or uncountable already."""
    irregular = {
        "mouse": "mice",
        "wolf": "wolves",
        "sheep": "sheep",
        "deer": "deer",
        "fish": "fish",
        "leaf": "leaves",
        "loaf of bread": "loaves of bread",
    }
    head, _, last = noun.rpartition(" ")
    if noun in MASS:
        return noun
    if noun in irregular or last in irregular:
        return irregular.get(noun) or f"{head} {irregular[last]}".strip()
    if " of " in noun:
        first, rest = noun.split(" of ", 1)
        return f"{plural(first)} of {rest}"
    if last.endswith("y") and last[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return noun + ("es" if last.endswith(("s", "x", "ch", "sh", "tomato")) else "s")


def _adjective(thing: Thing, rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.2 and thing.adjectives:
        return rng.choice(thing.adjectives) + " "
    if draw < 0.27:
        return rng.choice(COLOUR_NAMES) + " "
    return rng.choice(wording.MOODS) + " " if draw < 0.37 else ""


def _noun(thing: Thing, rng: random.Random, size: str = "medium", count: int = 1) -> str:
    name = thing.name if rng.random() < 0.6 else rng.choice(thing.names)
    adjective = (rng.choice(wording.SIZE_WORDS[size]) + " " if size != "medium" else "") + _adjective(thing, rng)
    if count == 2:
        return f"{rng.choice(wording.NUMBERS)} {adjective}{plural(name)}".strip()
    article = rng.random()
    if article < 0.12 or (name in MASS and article < 0.6):
        return adjective + name
    if article < 0.2 or name in MASS:
        return f"the {adjective}{name}"
    return with_article(adjective + name)


def _colour(name: str, rng: random.Random) -> str:
    return rng.choice(COLOUR_WORDS.get(name, (name,)))


def _shape(shape: Shape, rng: random.Random, size: str = "medium") -> str:
    words = (rng.choice(wording.SIZE_WORDS[size]) + " " if size != "medium" else "") + _colour(shape.colour, rng)
    phrase = f"{words} {rng.choice(SHAPE_WORDS.get(shape.form, (shape.form,)))}"
    return with_article(phrase) if rng.random() < 0.85 else phrase


def _where(spec: Spec, rng: random.Random) -> str:
    if spec.colour:
        return rng.choice(wording.COLOUR_GROUNDS).format(_colour(spec.colour, rng))
    if spec.place is None:
        return ""
    if spec.place == "sky" and spec.sky != "day":
        phrases = {
            "sunset": ("in the sunset", "at sunset", "in front of a sunset", "with a sunset behind"),
            "night": ("in the night sky", "at night", "under the stars", "in a starry night", "in space"),
        }
        return rng.choice(phrases[spec.sky])
    sky = {"day": "blue", "sunset": "sunset", "night": "night"}[spec.sky]
    place, time = rng.choice(wording.PLACES[spec.place]).format(sky=sky), rng.choice(wording.TIMES[spec.sky])
    return f"{place} {time}".strip()


def _scenery(spec: Spec, rng: random.Random) -> str:
    special = {"sunset": wording.SUNSETS, "night": wording.NIGHTS}.get(spec.sky, {}).get(spec.place)
    if special and (spec.place == "sky" or rng.random() < 0.6):
        return rng.choice(special)
    return f"{rng.choice(wording.SCENERY[spec.place])} {rng.choice(wording.TIMES[spec.sky])}".strip()


def _cell(cell: str, rng: random.Random) -> str:
    if cell in wording.CELL_PHRASES:
        return rng.choice(wording.CELL_PHRASES[cell]) if cell != "centre" or rng.random() < 0.25 else ""
    return rng.choice(("in the {} corner", "at the {}", "in the {}")).format(cell)


def _shapes(spec: Spec, rng: random.Random) -> str:
    if spec.relation is None:
        return f"{_shape(spec.shapes[0], rng, spec.size)} {_cell(spec.cell, rng)}".strip()
    first, second, relation = *spec.shapes, spec.relation
    if rng.random() < 0.25:  # the same picture told the other way round
        opposite = {"above": "below", "below": "above", "left of": "right of", "right of": "left of"}
        first, second, relation = second, first, opposite[relation]
    return f"{_shape(first, rng)} {rng.choice(wording.RELATION_PHRASES[relation])} {_shape(second, rng)}"


def _things(spec: Spec, rng: random.Random) -> str:
    things = [_BY_NAME[name] for name in spec.things]
    if len(things) == 1:
        doing = rng.choice(wording.DOING[things[0].kind]) if rng.random() < 0.25 else ""
        return f"{_noun(things[0], rng, spec.size)} {doing}".strip()
    if things[0] is things[1]:
        return _noun(things[0], rng, count=2)
    joint = rng.choice(("and", "and", "next to", "with", "beside", "and"))
    return f"{_noun(things[0], rng)} {joint} {_noun(things[1], rng)}"


def _scribble(rng: random.Random) -> str:
    """A word nobody taught: the model must not mind it."""
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(3, 8)))


def caption(spec: Spec, rng: random.Random) -> str:
    """One caption of a picture; another call words it differently."""
    where = ""
    if spec.things or spec.shapes:
        what, where = (_things if spec.things else _shapes)(spec, rng), _where(spec, rng)
    else:
        what = _scenery(spec, rng)
    if where and rng.random() < 0.08:
        text = f"{where}, {what}"
    else:
        text = f"{what}{',' if rng.random() < 0.05 and where else ''} {where}".strip()
    if spec.sketch:
        text = (
            f"{rng.choice(wording.SKETCHES)} {text}"
            if rng.random() < 0.7
            else f"{text}, {rng.choice(('sketch', 'pencil sketch'))}"
        )
    elif rng.random() < 0.2:
        text = f"{rng.choice(wording.PREFIXES)} {text}"
    if rng.random() < 0.15:
        text += ", " + ", ".join(rng.sample(wording.SUFFIXES, rng.randint(1, 2)))
    if rng.random() < 0.04:
        text += " " + _scribble(rng)
    return text + ("." if rng.random() < 0.05 else "")
