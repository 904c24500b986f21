"""The rules against messages labelled by hand. They were written with this set in view, so it says what holds, not what is new."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from contracts.errors import EaselError, ErrorCode
from contracts.prompts import ImageIntent, MessageIntent
from gateway.api.chat.intent import by_words, read
from gateway.api.chat.rules import command


class Labelled(NamedTuple):
    language: str
    after_picture: bool
    intent: str
    message: str


def labelled() -> list[Labelled]:
    lines = (Path(__file__).parent / "chat_messages.txt").read_text(encoding="utf-8").splitlines()
    parts = [line.split("|", 2) for line in lines if line and not line.startswith("#")]
    return [
        Labelled(language, wanted.startswith("+"), wanted.lstrip("+"), message) for language, wanted, message in parts
    ]


SET = labelled()


def test_the_labelled_set_is_large_enough_to_say_something() -> None:
    assert len(SET) >= 300
    assert len({line.language for line in SET}) == 5
    assert sum(line.intent == "none" for line in SET) >= 120


def test_rules_alone_are_right_when_they_speak_and_speak_often_enough() -> None:
    told = [(line, by_words(line.message, None, shows_picture=line.after_picture).reading.intent) for line in SET]
    right = sum(line.intent == got != "none" for line, got in told)
    wrong = [line for line, got in told if got not in ("none", line.intent)]
    asked = sum(line.intent != "none" for line in SET)
    assert right / (right + len(wrong)) >= 0.98, wrong
    assert right / asked >= 0.6


@pytest.mark.parametrize("language", sorted({line.language for line in SET}))
def test_rules_help_in_every_language(language: str) -> None:
    mine = [line for line in SET if line.language == language and line.intent != "none"]
    told = [by_words(line.message, None, shows_picture=line.after_picture).reading.intent for line in mine]
    assert sum(got == line.intent for line, got in zip(mine, told, strict=True)) / len(mine) >= 0.6


@pytest.mark.parametrize("form", ["/imagine", "/image", "/draw", "/IMAGINE"])
def test_explicit_forms_are_always_understood(form: str) -> None:
    found = command(f"{form} a docker container on a whale, {{curly}}")
    assert found is not None
    assert (found.intent, found.prompt) == (ImageIntent.GENERATE, "a docker container on a whale, {curly}")


def test_a_prompt_keeps_what_is_to_be_seen_and_loses_what_is_said_around_it() -> None:
    wanted = {
        "can you please draw me a red fox in the snow?": "a red fox in the snow",
        "create a watercolour of a boat, thanks": "watercolour of a boat",
        "generate a photorealistic image of a teapot": "a teapot, photorealistic",
        "Dessine-moi un mouton s'il te plaît": "un mouton",
    }
    assert {message: by_words(message, None, shows_picture=False).reading.prompt for message in wanted} == wanted


async def test_the_language_model_is_asked_only_where_words_leave_a_doubt() -> None:
    asked = Counter[str]()

    async def ask(message: str, _: str) -> MessageIntent:
        asked[message] += 1
        return MessageIntent(intent=ImageIntent.GENERATE, prompt="a waterfall")

    assert (await read("draw a cat", None, None, ask)).source == "rule"
    assert (await read("how about a waterfall?", None, None, ask)).source == "llm"
    assert asked == {"how about a waterfall?": 1}


async def test_without_a_language_model_a_doubt_is_a_no() -> None:
    async def ask(message: str, _: str) -> MessageIntent:
        raise EaselError(ErrorCode.UNAVAILABLE, "away")

    assert (await read("how about a waterfall?", None, None, ask)).reading.intent is ImageIntent.NONE


async def test_an_edit_needs_a_picture_whatever_the_language_model_says() -> None:
    async def ask(message: str, _: str) -> MessageIntent:
        return MessageIntent(intent=ImageIntent.EDIT, prompt="bluer")

    assert (await read("could it be bluer?", None, None, ask)).reading.intent is ImageIntent.NONE
    assert (await read("could it be bluer?", None, "a boat", ask)).reading.intent is ImageIntent.EDIT


def test_a_hostile_message_is_read_in_no_time() -> None:
    """No pattern that an attacker could make run for hours."""
    for piece in ("create an image of ", "a ", "please, ", "an an ", "make me make me "):
        by_words(piece * 400, None, shows_picture=True)
