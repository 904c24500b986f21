"""What each family of models wants to read: how many words, in what manner, and what may be chosen to go with it."""

from __future__ import annotations

from typing import NamedTuple

from services.enhancer.vocabulary import SLOTS, Slot


class Profile(NamedTuple):
    """One family."""

    max_tokens: int
    manner: str
    """For the language model that writes the whole prompt."""
    slots: tuple[Slot, ...]


def _slots(*names: str) -> tuple[Slot, ...]:
    return tuple(SLOTS[name] for name in names)


_TAGS = (
    "Write it as one list of short phrases separated by commas, the subject first, then surroundings, light, "
    "composition, medium. At most {words} words."
)
_PROSE = (
    "Write one or two flowing sentences of plain description, the subject first, then surroundings, light, composition "
    "and medium. No lists of keywords such as 'masterpiece' or '8k'. At most {words} words."
)

CLIP_TOKENS, T5_TOKENS, POCKET_TOKENS = 75, 240, 28
"""What is left of 77, 256 and 32 without the marks of beginning and end, and some room for a wrong guess."""

_CLIP = Profile(CLIP_TOKENS, _TAGS.format(words=40), _slots("light", "framing", "medium", "finish"))
_T5 = Profile(T5_TOKENS, _PROSE.format(words=90), _slots("light", "framing", "medium", "colour"))
POCKET = Profile(
    POCKET_TOKENS,
    "Use simple English words only: the prompt, then at most three of: on a sunny day, at sunset, at night, "
    "in the snow, on grass, on the beach, flat design, clip art, cartoon style, vivid colours, highly detailed. "
    "At most 18 words.",
    _slots("pocket-time", "pocket-look", "pocket-finish"),
)
_FAMILIES = {
    "stable-diffusion": _CLIP,
    "latent-consistency": _CLIP,
    "stable-diffusion-xl": _CLIP,
    "stable-diffusion-3": _T5,
    "flux": _T5,
    "z-image": _T5,
}


def profile_of(model: str, family: str) -> Profile:
    """What is known of a model, by its id and family; the narrowest of the large ones for a stranger."""
    return POCKET if model == "pocket" else _FAMILIES.get(family, _CLIP)
