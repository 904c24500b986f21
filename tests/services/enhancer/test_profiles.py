"""What is offered to each family, and that pocket is told only words it has learned."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.enhancer.profiles import POCKET, profile_of
from services.enhancer.vocabulary import SLOTS, SUBJECTS
from services.enhancer.words import tokens, words
from training.pocket import wording

CATALOGUE = Path(__file__).parents[3] / "services/diffusion/catalogue.toml"


def test_pocket_is_offered_only_words_that_it_was_trained_on() -> None:
    known = set(words(" ".join(wording.SUFFIXES))) | {
        word for phrases in wording.TIMES.values() for phrase in phrases for word in words(phrase)
    }
    offered = {word for slot in POCKET.slots for choice in slot.choices for word in words(choice)}
    assert offered <= known


@pytest.mark.parametrize("name", SLOTS)
def test_nothing_that_may_be_chosen_is_a_thing_of_its_own(name: str) -> None:
    for choice in SLOTS[name].choices:
        assert SUBJECTS.isdisjoint(words(choice)), choice


def test_every_family_of_the_catalogue_has_room_for_what_is_chosen() -> None:
    families = {line.split('"')[1] for line in CATALOGUE.read_text().splitlines() if line.startswith("family")}
    assert families
    for model, family in [("pocket", "stable-diffusion"), *(("", family) for family in families)]:
        profile = profile_of(model, family)
        longest = sum(max(tokens(choice) for choice in slot.choices) + 1 for slot in profile.slots)
        assert longest + 6 < profile.max_tokens


def test_models_with_long_memories_get_prose_and_more_of_it() -> None:
    assert profile_of("", "flux").max_tokens > 2 * profile_of("", "stable-diffusion").max_tokens
    assert "sentences" in profile_of("", "flux").manner
    assert "commas" in profile_of("", "stable-diffusion-xl").manner
    assert profile_of("", "") == profile_of("", "stable-diffusion")
