"""Whether a text may stand for a prompt: all that was asked is in it, in order, and nothing else takes its place."""

from __future__ import annotations

import re
from collections import Counter

from services.enhancer.vocabulary import COLOURS, FITTING, SUBJECTS
from services.enhancer.words import (
    content_words,
    is_number,
    is_wide,
    quotations,
    same_language,
    tokens,
    words,
)

LEAD_WORDS = 14
"""The prompt's first word of meaning comes among so many of the text's."""
_REPEATED = 4
_LONGEST_ADDITION = 7
"""Words of one phrase that is added."""

_MARKUP = re.compile(r"[<>{}\[\]|\\`#*_~^]|https?:|www\.|&\w+;|[\x00-\x1f\x7f]")
_TALK = re.compile(
    r"\b(?:sure|certainly|of course|here(?:'s| is| are)|as an ai|as a language model|i can't|i'm|"
    r"i (?:can|will|would|am|have|cannot)|sorry|cannot|can't|unable|you(?:r|'re)?|please|prompt|enhanced|rewritten|"
    r"rewrite|instructions?|note that|let me|let's|assistant|user|system|json|response|answer|ignore|"
    r"leider|hier ist|désolé|voici|lo siento|aquí está)\b",
    re.IGNORECASE,
)


def faults(prompt: str, text: str, max_tokens: int) -> list[str]:
    """Why `text` may not stand for `prompt`, in words that its writer understands; empty when it may."""
    found = [
        *_lost(prompt, text),
        *_intruders(prompt, text),
        *_form(prompt, text),
    ]
    if tokens(text) > max_tokens:
        found.append("it is too long")
    if not same_language(prompt, text):
        found.append("it changes the language")
    return found


def keeps_content(prompt: str, text: str) -> bool:
    """Whether every word of meaning and everything quoted is still there, in order."""
    return not _lost(prompt, text)


def _lost(prompt: str, text: str) -> list[str]:
    at, found = 0, words(text)
    lost = [f"it lacks the quoted text {quoted}" for quoted in quotations(prompt) if quoted not in text]
    squeezed = "".join(text.casefold().split())
    for word in content_words(prompt):
        if is_wide(word):
            if word not in squeezed:
                lost.append(f"it lacks {word}")
            continue
        try:
            at = found.index(word, at) + 1
        except ValueError:
            lost.append(f"it lacks {word}, or has it in another order")
    first = next((word for word in content_words(prompt) if not is_wide(word)), None)
    if not lost and first is not None and first not in found[:LEAD_WORDS]:
        lost.append(f"it does not begin with {first}")
    return lost


def _intruders(prompt: str, text: str) -> list[str]:
    """New things, numbers, and colours that could be taken for a thing's own."""
    asked = set(words(prompt))
    added = [word for word in words(text) if word not in asked]
    found = [f"it adds {word}" for word in dict.fromkeys(added) if _names(word, asked) or is_number(word)]
    if asked & COLOURS:
        core = _core(prompt, text)
        found += [f"it adds the colour {word}" for word in core if word in COLOURS - asked]
    more = Counter(words(text)) - Counter(words(prompt))
    found += [f"it repeats {word}" for word in asked & SUBJECTS if more[word] > 1]
    return found


def _names(word: str, asked: set[str]) -> bool:
    """Whether a word names a thing that was not asked for, in the singular or the plural."""
    forms = {word, f"{word}s", word.removesuffix("s"), word.removesuffix("es")}
    return word in SUBJECTS and forms.isdisjoint(asked)


def _core(prompt: str, text: str) -> list[str]:
    """The words of a text from the prompt's first word of meaning to its last."""
    asked, found = content_words(prompt), words(text)
    places = [at for at, word in enumerate(found) if word in asked]
    return found[places[0] : places[-1] + 1] if places else []


def _form(prompt: str, text: str) -> list[str]:
    found = []
    if any(mark not in prompt for mark in _MARKUP.findall(text)):
        found.append("it has markup or line breaks")
    said = {match.casefold() for match in _TALK.findall(text)}
    if any(phrase not in prompt.casefold() for phrase in said):
        found.append("it talks to the reader instead of describing the picture")
    parts = [" ".join(words(part)) for part in re.split(r"[,.;]", text)]
    if any(count > 1 for part, count in Counter(parts).items() if part and part not in prompt.casefold()):
        found.append("it repeats itself")
    grams = Counter(zip(*(words(text)[at:] for at in range(_REPEATED)), strict=False))
    if any(count > 1 for count in grams.values()) and len(words(prompt)) < len(words(text)):
        found.append("it repeats itself")
    return list(dict.fromkeys(found))


def fitting_phrases(prompt: str, text: str) -> list[str]:
    """Phrases of a text that is no good as a whole, but which may be added to the prompt: how, not what."""
    asked, found = set(content_words(prompt)), list[str]()
    for raw in re.split(r"[,.;:\n]", text):
        phrase = " ".join(raw.split())
        named = words(phrase)
        fits = (
            0 < len(named) <= _LONGEST_ADDITION
            and not FITTING.isdisjoint(named)
            and asked.isdisjoint(content_words(phrase))
            and not _form(prompt, phrase)
            and not any(_names(word, set()) or is_number(word) or word in COLOURS - {"golden"} for word in named)
            and same_language(prompt, phrase)
            and phrase.casefold() not in {other.casefold() for other in found}
        )
        if fits:
            found.append(phrase)
    return found


def with_phrases(prompt: str, phrases: list[str], max_tokens: int) -> str:
    """The prompt as it is, and as many of the phrases after it as there is room for."""
    text = prompt.strip().rstrip(",.; ")
    for phrase in phrases:
        longer = f"{text}, {phrase}"
        if tokens(longer) <= max_tokens:
            text = longer
    return text
