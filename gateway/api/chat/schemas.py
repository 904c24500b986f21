"""`POST /v1/chat/images`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from contracts.prompts import ImageIntent

Confirm = Literal["auto", "always", "never"]


class ChatMessage(msgspec.Struct, kw_only=True):
    """One turn, as chat APIs send it."""

    role: str
    content: Annotated[Any, Meta(description="Text, or a list of parts of which the text ones are read.")] = None


class ChatImageRequest(msgspec.Struct, kw_only=True):
    """A message, and what is known around it. The rest are wishes for the picture, as in `POST /generate/async`."""

    message: Annotated[str | None, Meta(description="What the user said; or `messages`, whose last one it is.")] = None
    messages: Annotated[list[ChatMessage] | None, Meta(description="The conversation, the newest turn last.")] = None
    action: Annotated[
        Literal["generate", "edit", "retry"] | None,
        Meta(description="What a button or toggle says."),
    ] = None
    job_id: Annotated[str | None, Meta(description="The picture that the conversation shows.")] = None
    conversation_id: Annotated[
        str | None, Meta(description="As an answer gave it: then the last picture is remembered here.")
    ] = None
    confirm: Annotated[
        Confirm, Meta(description="Whether to wait for a yes before drawing; auto: where it is not certain.")
    ] = "auto"
    model: Annotated[str | None, Meta(description="As `/v1/models` lists it.")] = None
    width: Annotated[int | None, Meta(description="Pixels.")] = None
    height: Annotated[int | None, Meta(description="Pixels.")] = None
    seed: int | None = None
    num_images: Annotated[int | None, Meta(description="Pictures, 1 to 10.")] = None
    strength: Annotated[float | None, Meta(description="How far an edit goes from the picture, 0 to 1.")] = None
    use_enhancer: Annotated[bool, Meta(description="Draw a better prompt made of it.")] = False
    style: Annotated[str | None, Meta(description="How it should look; with use_enhancer.")] = None


class ChatAction(msgspec.Struct, kw_only=True):
    """Something that can be done with the picture."""

    name: Literal["retry", "edit", "download", "confirm"]
    method: str
    url: str
    body: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class ChatImageReply(msgspec.Struct, kw_only=True):
    """What the message wants, and the job that draws it. With intent `none` the caller goes on chatting."""

    intent: ImageIntent
    confidence: float
    """0 … 1."""
    source: Literal["explicit", "rule", "llm", "none"]
    prompt: str
    params: dict[str, Any]
    needs_confirmation: bool = False
    job_id: str | msgspec.UnsetType = msgspec.UNSET
    status_url: str | msgspec.UnsetType = msgspec.UNSET
    events_url: str | msgspec.UnsetType = msgspec.UNSET
    image_url: str | msgspec.UnsetType = msgspec.UNSET
    actions: list[ChatAction]
    conversation_id: str


class Conversation(msgspec.Struct, frozen=True):
    """What is remembered of one."""

    job_id: str = ""
