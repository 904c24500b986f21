"""The prompt-assist dialect's request and answers."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from contracts.prompts import PromptSource


class GenerationRequest(msgspec.Struct, kw_only=True):
    """`POST /v1/images/generations` with `use_enhancer` and without `model`."""

    prompt: Annotated[str, Meta(min_length=1, max_length=4096, description="What to draw.")]
    use_enhancer: bool = False
    n: Annotated[int, Meta(ge=1, le=4, description="Pictures.")] = 1
    size: Literal["256x256", "512x512", "768x768", "1024x1024"] = "512x512"


class GeneratedImage(msgspec.Struct, kw_only=True):
    """One picture."""

    base64_encoded_image: bytes
    content_type: str


class GenerationReply(msgspec.Struct, kw_only=True):
    """The pictures."""

    created_at_unix_timestamp: int
    data: list[GeneratedImage]


class EnhanceRequest(msgspec.Struct, kw_only=True):
    """`POST /v1/prompts/enhance`. All but `prompt` is ours."""

    prompt: Annotated[str, Meta(min_length=1, max_length=4096, description="What to draw.")]
    style: Annotated[str | None, Meta(description="How it should look, in your own words.")] = None
    model: Annotated[str | None, Meta(description="What is to draw it; the default model if absent.")] = None
    dry_run: Annotated[bool, Meta(description="Show what changes, word by word.")] = False
    stream: Annotated[bool, Meta(description="Answer with server-sent events: `draft`s, then `enhanced`.")] = False


class EnhanceReply(msgspec.Struct, kw_only=True):
    """The better prompt. The header `x-easel-enhancement` says how it was made: model, partial or original."""

    enhanced_prompt: str


class PromptChange(msgspec.Struct, kw_only=True):
    """A piece of a preview: what is kept and removed is the old prompt, what is kept and added the new one."""

    op: Literal["keep", "add", "remove"]
    text: str


class EnhancePreview(msgspec.Struct, kw_only=True):
    """The answer to a dry run, and the data of the event `enhanced`."""

    prompt: str
    enhanced_prompt: str
    source: PromptSource
    language_model: str
    changes: list[PromptChange]


class EnhanceEvent(msgspec.Struct, kw_only=True):
    """A server-sent event: `draft` (a `PromptDraft`), `enhanced` (an `EnhancePreview`) or `error`."""

    event: str
    data: str


class PromptAssistErrorReply(msgspec.Struct, kw_only=True):
    """Every failure in this dialect."""

    error: str
    status_code: int
