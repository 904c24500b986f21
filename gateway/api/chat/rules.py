"""What a chat message wants, where its words leave no doubt; the words themselves are in phrases.toml."""

from __future__ import annotations

import importlib.resources
import re
import tomllib
from typing import NamedTuple

from contracts.prompts import ImageIntent

MAX_CHARACTERS = 2000
"""A longer message asks for something else than a picture, or for more."""
_TABLE = tomllib.loads((importlib.resources.files(__package__) / "phrases.toml").read_text(encoding="utf-8"))
_ANY = _TABLE.pop("any")
_FLAGS = re.IGNORECASE


class Reading(NamedTuple):
    """What a message wants."""

    intent: ImageIntent
    prompt: str = ""
    """What to draw; for an edit, what to change."""


class _Language(NamedTuple):
    make: re.Pattern[str]
    wish: re.Pattern[str]
    draw: re.Pattern[str]
    retry: re.Pattern[str]
    edit: re.Pattern[str]
    ending: re.Pattern[str]


def _compiled(words: dict[str, str]) -> _Language:
    lead = rf"(?:(?:{words['polite']})[\s,!]+)*"
    between = rf"(?:[\s,]*(?:{words['for']})\b)*"
    article = rf"(?:(?:{words['article']})(?:\s+|(?<='))(?P<quality>(?:[\w'-]+,?\s+){{0,4}}?))?"
    noun = rf"(?:(?P<picture>{words['picture']})|(?P<medium>{words['medium']}))\b"
    what = rf"{article}{noun}(?:[\s,]*(?P<about>{words['about']})(?:\s+|(?<=')))?(?P<subject>.*)"
    thing = rf"(?P<subject>(?:(?:{words['article']}|{words['definite']})(?:\s+|(?<=')))\w.*)"
    return _Language(
        make=re.compile(rf"{lead}(?:{words['make']}){between}\s+{what}", _FLAGS),
        wish=re.compile(rf"{lead}(?:{words['wish']}|{words['for']})[\s,]*(?:(?:{words['for']})[\s,]+)*{what}", _FLAGS),
        draw=re.compile(rf"{lead}(?:{words['draw']}){between}\s+{thing}", _FLAGS),
        retry=re.compile(rf"(?:{words['retry']})(?:[\s,]*(?:{words['ending']}))*", _FLAGS),
        edit=re.compile(rf"(?:{words['edit']})\s*(?P<subject>.*)", _FLAGS),
        ending=re.compile(rf"(?:[\s,]*\b(?:{words['ending']}))+$", _FLAGS),
    )


def _alternatives(text: str) -> str:
    return "|".join(part.strip() for part in " ".join(text.split()).split("|") if part.strip())


_LANGUAGES = {name: _compiled(words) for name, words in _TABLE.items()}
_COMMAND = re.compile(rf"(?:{_ANY['commands']})\b[\s:]*(?P<subject>.*)", _FLAGS | re.DOTALL)
_OTHER = re.compile(rf"(?<![\w-])(?:{_alternatives(_ANY['other'])})(?![\w-])", _FLAGS)
_QUESTION = re.compile(rf"(?:{_alternatives(_ANY['question'])})(?!\w)", _FLAGS)
_NOT_WORDS = re.compile(r"```|https?://|<\w|[{}]|\w\(\)")


def command(message: str) -> Reading | None:
    """An explicit form, such as `/imagine a red fox`."""
    found = _COMMAND.match(message.strip())
    if found is None:
        return None
    return Reading(ImageIntent.GENERATE, _tidy(found["subject"])) if found["subject"].strip() else None


def wished_prompt(message: str) -> str:
    """What to draw of a message that is known to ask for a picture."""
    found = rule(message)
    return found.prompt if found is not None and found.prompt else _tidy(message)


def rule(message: str) -> Reading | None:
    """A request for a new picture, where the words leave no doubt."""
    text = _plain(message)
    if not text or len(text) > MAX_CHARACTERS or _NOT_WORDS.search(text) or _QUESTION.match(text):
        return None
    for language in _LANGUAGES.values():
        for pattern in (language.make, language.wish):
            found = pattern.fullmatch(text)
            if found is not None and (prompt := _prompt(found, language)):
                return None if _OTHER.search(text) else Reading(ImageIntent.GENERATE, prompt)
        found = language.draw.fullmatch(text)
        if found is not None and not _OTHER.search(text):
            return Reading(ImageIntent.GENERATE, _tidy(language.ending.sub("", found["subject"])))
    return None


def follow_up(message: str) -> Reading | None:
    """About the picture that the conversation shows: the same once more, or a change."""
    text = _plain(message)
    if not text or len(text) > MAX_CHARACTERS or _NOT_WORDS.search(text):
        return None
    for language in _LANGUAGES.values():
        if language.retry.fullmatch(text):
            return Reading(ImageIntent.RETRY)
        found = language.edit.fullmatch(text)
        if found is not None and found["subject"].strip() and not _OTHER.search(text):
            return Reading(ImageIntent.EDIT, _tidy(language.ending.sub("", found["subject"])))
    return None


def _prompt(found: re.Match[str], language: _Language) -> str:
    """What to draw; "" where the match says nothing of it, as in "create an image"."""
    subject = _tidy(language.ending.sub("", found["subject"]))
    quality = " ".join((found["quality"] or "").split())
    if found["medium"]:
        about = f" {found['about']}" if found["about"] else ""
        return _tidy(f"{quality} {found['medium']}{about} {subject}") if subject else ""
    if not found["about"] and quality == "" and subject:
        return ""
    return ", ".join(part for part in (subject, quality) if part) if subject else ""


def _plain(message: str) -> str:
    """One line without the marks around it."""
    return " ".join(message.split()).strip(' .!?…"“”').replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def _tidy(text: str) -> str:
    return " ".join(text.split()).strip(' ,.:;!?"“”')
