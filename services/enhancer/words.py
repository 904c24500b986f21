"""What a prompt says, word by word: which words carry meaning, in which language, and how long it is for a model."""

from __future__ import annotations

import re
from collections.abc import Iterable

from services.enhancer.vocabulary import EMPTY, LANGUAGES, NUMBERS, TECHNICAL

_WORD = re.compile(r"[^\W_]+(?:['\u2019\-][^\W_]+)*")
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|«([^»]+)»|„([^“”]+)[“”]|(?<!\w)'([^']{2,})'(?!\w)")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
"""Scripts that are written without spaces: a run of them is one word for `words`."""

_CLEAR_LEAD = 1
"""Function words by which one language must lead over the others."""


def words(text: str) -> list[str]:
    """The words, case folded, in order."""
    return [word.casefold() for word in _WORD.findall(text)]


def content_words(text: str) -> list[str]:
    """Those that carry meaning: things, qualities, colours, numbers and how they lie to each other."""
    return [word for word in words(text) if word not in EMPTY]


def quotations(text: str) -> list[str]:
    """What stands between quotation marks: to be drawn letter by letter."""
    return [next(part for part in match.groups() if part) for match in _QUOTED.finditer(text)]


def is_number(word: str) -> bool:
    return word not in TECHNICAL and (word in NUMBERS or any(letter.isdigit() for letter in word))


def is_wide(word: str) -> bool:
    """Whether a word is of a script without spaces."""
    return _WIDE.search(word) is not None


def is_latin(text: str) -> bool:
    """Whether its letters are those of Western European languages."""
    return all(ord(letter) < 0x250 for letter in text if letter.isalpha())  # noqa: PLR2004  end of Latin Extended-B


def language(text: str) -> str:
    """Two letters where the function words are clearly of one language; else "", as in most short prompts."""
    if not is_latin(text):
        return "other"
    found = words(text)
    counts = {name: sum(word in known for word in found) for name, known in LANGUAGES.items()}
    first, second = sorted(counts, key=counts.__getitem__, reverse=True)[:2]
    return first if counts[first] - counts[second] >= _CLEAR_LEAD else ""


def same_language(prompt: str, text: str) -> bool:
    """Whether `text` can stand beside `prompt`: an unclear language goes with any that has its letters."""
    if is_latin(prompt) != is_latin(text) and not is_latin(text):
        return False
    one, other = language(prompt), language(text)
    return not one or not other or one == other


def tokens(text: str) -> int:
    """How many tokens CLIP's or T5's tokenizer makes of it, guessed high: a word of five letters is one."""
    return sum(_tokens(word) for word in re.findall(r"[^\W_]+|[^\w\s]|_", text))


def _tokens(word: str) -> int:
    if word.isascii():
        return -(-len(word) // 6) if word.isalpha() else len(word)
    return len(word.encode())


def has_any(text: str, vocabulary: Iterable[str]) -> bool:
    """Whether one of the words is in the text."""
    return not set(words(text)).isdisjoint(vocabulary)
