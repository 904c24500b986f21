"""Prompts: what the enhancer is asked, what it answers, and whether a message asks for a picture at all."""

from __future__ import annotations

import enum

import msgspec

ENHANCER_TIMEOUT_S = 10.0
"""Seconds that a prompt may take to be enhanced, waiting included, unless somebody says otherwise."""


ENHANCER = "enhancer"
"""The service, its pool and its place in subjects."""


class PromptSource(enum.StrEnum):
    """How an enhanced prompt was made."""

    MODEL = "model"
    """The language model's own text, which passed every check."""
    PARTIAL = "partial"
    """The prompt as it was, and what could be used of the model's text."""
    ORIGINAL = "original"
    """The prompt as it was: the model was away or slow, or nothing it wrote could be used."""


class EnhancePrompt(msgspec.Struct, frozen=True, kw_only=True, tag="enhance_prompt"):
    """One prompt to write out in more detail, for the model that is to draw it."""

    prompt: str
    """As the user wrote it."""
    model: str = ""
    """Id of the model that is to draw; empty for none in particular."""
    family: str = ""
    """Its family, which says how many words it reads and which it likes."""
    style: str = ""
    """What the picture should look like, in the user's words; empty leaves it to the enhancer."""
    timeout_s: float = ENHANCER_TIMEOUT_S
    source: PromptSource | None = None
    """None until it was done."""


class EnhancedPrompt(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `EnhancePrompt`."""

    prompt: str
    source: PromptSource
    language_model: str = ""
    """Who wrote it; empty where nobody did."""


class PromptDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Text of the language model as it comes, not checked yet; sent ahead of `EnhancedPrompt` where asked for."""

    text: str
    attempt: int = 1
    """2 when what came first failed the checks."""


class ImageIntent(enum.StrEnum):
    """What a chat message wants of us."""

    GENERATE = "generate"
    EDIT = "edit"
    RETRY = "retry"
    NONE = "none"


class ReadIntent(msgspec.Struct, frozen=True, kw_only=True):
    """A chat message that rules could not decide."""

    message: str
    previous_prompt: str = ""
    """Of the picture that the conversation shows; empty where there is none."""
    timeout_s: float = 1.0


class MessageIntent(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `ReadIntent`."""

    intent: ImageIntent
    prompt: str = ""
    """What to draw, or what to change."""
