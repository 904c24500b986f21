"""The words in vocabulary.toml."""

from __future__ import annotations

import importlib.resources
import tomllib
from typing import NamedTuple

_TABLE = tomllib.loads((importlib.resources.files(__package__) / "vocabulary.toml").read_text(encoding="utf-8"))


class Slot(NamedTuple):
    """One thing that a picture may be told about, and what to choose among."""

    name: str
    choices: tuple[str, ...]
    taken: frozenset[str]
    """A prompt with one of these words has said it already."""


def _words(name: str) -> frozenset[str]:
    return frozenset(_TABLE[name].split())


def _slot(name: str, entry: dict[str, str]) -> Slot:
    phrases = tuple(" ".join(phrase.split()) for phrase in entry["choices"].split(","))
    return Slot(name, phrases, frozenset(entry["taken"].split()))


EMPTY = _words("empty")
COLOURS = _words("colours")
NUMBERS = _words("numbers")
TECHNICAL = _words("technical")
SUBJECTS = _words("subjects")
FITTING = _words("fitting")
LANGUAGES: dict[str, frozenset[str]] = {name: frozenset(text.split()) for name, text in _TABLE["languages"].items()}
SLOTS: dict[str, Slot] = {name: _slot(name, entry) for name, entry in _TABLE["slots"].items()}
