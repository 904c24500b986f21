"""What a message wants: explicit forms first, then rules, then the language model; without that, nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

import structlog

from contracts.errors import EaselError
from contracts.prompts import ImageIntent, MessageIntent
from gateway.api.chat.rules import MAX_CHARACTERS, Reading, command, follow_up, rule, wished_prompt

log = structlog.get_logger()

Source = Literal["explicit", "rule", "llm", "none"]
AskModel = Callable[[str, str], Awaitable[MessageIntent]]
"""`(message, previous prompt) -> what it wants`, by the language model."""

CONFIDENCE: dict[Source, float] = {"explicit": 1.0, "rule": 0.98, "llm": 0.8, "none": 0.0}


class Intent(NamedTuple):
    """What a message wants and how that is known."""

    reading: Reading
    source: Source


NOTHING = Intent(Reading(ImageIntent.NONE), "none")


def by_words(message: str, action: str | None, *, shows_picture: bool) -> Intent:
    """As far as it can be told without a language model."""
    if action is not None:
        return Intent(_as_told(message, ImageIntent(action)), "explicit")
    explicit = command(message) or (follow_up(message) if shows_picture else None)
    if explicit is not None:
        return Intent(explicit, "explicit")
    found = rule(message)
    return NOTHING if found is None else Intent(found, "rule")


def _as_told(message: str, intent: ImageIntent) -> Reading:
    """What a button says, with what the message says to it."""
    if intent is ImageIntent.RETRY:
        return Reading(intent)
    if intent is ImageIntent.GENERATE:
        return Reading(intent, wished_prompt(message))
    change = follow_up(message)
    return Reading(intent, change.prompt if change is not None and change.prompt else message.strip())


async def read(message: str, action: str | None, previous_prompt: str | None, ask: AskModel) -> Intent:
    """What the message wants; `previous_prompt` is of the picture shown, None where there is none.

    A language model that is away or slow is no fault: then the rules alone decide.
    """
    found = by_words(message, action, shows_picture=previous_prompt is not None)
    if found.source != "none" or not message.strip() or len(message) > MAX_CHARACTERS:
        return found
    try:
        told = await ask(message, previous_prompt or "")
    except EaselError as fault:
        log.info("a message was judged by rules alone", fault=fault.message)
        return NOTHING
    if told.intent is ImageIntent.NONE or (told.intent is not ImageIntent.GENERATE and previous_prompt is None):
        return NOTHING
    return Intent(Reading(told.intent, told.prompt), "llm")
