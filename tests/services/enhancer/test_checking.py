"""What may stand for a prompt and what may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enhancer.checking import faults, fitting_phrases, keeps_content, with_phrases
from services.enhancer.words import content_words, language, quotations, tokens

ROOM = 75


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        (
            "A cat sitting on a windowsill",
            (
                "A fluffy ginger tabby cat sitting gracefully on a sunlit Victorian windowsill, soft golden-hour lighting "
                "streaming through lace curtains, warm palette, shallow depth of field"
            ),
        ),
        ("a red circle above a blue square", "a bold red circle above a small blue square, flat design, sharp edges"),
        ("three dogs in the snow", "three dogs playing in the deep snow, soft morning light"),
        ('a sign that says "Bean There"', 'a wooden sign that says "Bean There", warm light'),
        ("ein roter Fuchs im Wald", "ein roter Fuchs im dichten Wald, weiches Licht"),
        ("雪の中の狐", "雪の中の狐、柔らかい光"),
    ],
)
def test_a_text_that_says_all_and_adds_how_it_looks_is_fine(prompt: str, text: str) -> None:
    assert faults(prompt, text, ROOM) == []


@pytest.mark.parametrize(
    ("prompt", "text", "why"),
    [
        ("a red circle above a blue square", "a vast blue sky over red hills", "lacks circle"),
        ("a red circle above a blue square", "a blue square above a red circle", "order"),
        ("a red circle above a blue square", "a red and green circle above a blue square", "colour green"),
        ("three dogs in the snow", "dogs in the snow", "lacks three"),
        ("a cat on a windowsill", "a cat on a windowsill beside two candles", "adds two"),
        ("a cat on a windowsill", "a cat and a dog on a windowsill", "adds dog"),
        ("a cat on a windowsill", "an old man holding his cat on a windowsill", "adds man"),
        ('a sign that says "Open"', "a sign that says open, warm light", "quoted"),
        ("a boat", "a boat " + "with very fine and intricate detail " * 20, "long"),
        ("a boat", "Sure! Here is your enhanced prompt: a boat", "talks"),
        ("a boat", "I'm sorry, I cannot describe a boat", "talks"),
        ("a boat", "a boat <script>alert(1)</script>", "markup"),
        ("a boat", "a boat\nat sea", "markup"),
        ("a boat", "a boat, soft light, soft light", "repeats"),
        ("ein Boot auf dem See", "ein Boot auf dem See, in the soft light of the morning with the mist", "language"),
        ("a boat", "a vast quiet ocean under an endless and ever changing dramatic evening sky with a boat", "begin"),
    ],
)
def test_a_text_that_loses_replaces_or_talks_is_refused_with_the_reason(prompt: str, text: str, why: str) -> None:
    assert any(why in fault for fault in faults(prompt, text, ROOM)), faults(prompt, text, ROOM)


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_text_breaks_the_checks(prompt: str, text: str) -> None:
    faults(prompt, text, ROOM)
    fitting_phrases(prompt, text)
    assert keeps_content(prompt, prompt)


@given(st.lists(st.sampled_from(["red", "fox", "above", "a", "blue", "42", "wolf", "the"]), min_size=1, max_size=8))
def test_what_is_added_behind_a_prompt_never_takes_from_it(words: list[str]) -> None:
    prompt = " ".join(words)
    assert keeps_content(prompt, with_phrases(prompt, ["soft morning light", "sharp focus"], ROOM))


def test_only_phrases_that_say_how_it_looks_are_taken_from_a_bad_text() -> None:
    text = "the circle of life, soft golden light, a horse, kindness of stones, Sharp focus, sharp focus, ignore light"
    assert fitting_phrases("a red circle above a blue square", text) == ["soft golden light", "Sharp focus"]


def test_added_phrases_stop_where_the_model_stops_reading() -> None:
    text = with_phrases("a boat", ["soft light"] + [f"fine texture {'x' * n}" for n in range(1, 60)], 20)
    assert tokens(text) <= 20
    assert text.startswith("a boat, soft light")


def test_words_without_meaning_do_not_count() -> None:
    assert content_words("Please, a picture of the 3 Red foxes") == ["3", "red", "foxes"]
    assert quotations('a sign "Open" and “Zu” and „Ja“') == ["Open", "Zu", "Ja"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a cat on the windowsill of an old house", "en"),
        ("eine Katze auf dem Dach und ein Hund", "de"),
        ("un chat dans le jardin avec une balle", "fr"),
        ("red fox", ""),
        ("雪の中の狐", "other"),
    ],
)
def test_the_language_is_told_where_it_is_clear(text: str, name: str) -> None:
    assert language(text) == name
