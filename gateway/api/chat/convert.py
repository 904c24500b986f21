"""Chat's words to ours and back."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage
from contracts.jobs import Job
from gateway.api.chat import schemas
from gateway.api.chat.intent import CONFIDENCE, Intent
from gateway.resolve import Wanted

_CERTAIN = 0.9
_LINK = re.compile(r"/job/([0-9a-f]{32})\b")


def message_of(body: schemas.ChatImageRequest) -> str:
    """What the user said last.

    Raises:
        EaselError: INVALID_REQUEST, nothing.
    """
    if body.message is not None:
        return body.message
    said = next((turn for turn in reversed(body.messages or []) if turn.role == "user"), None)
    if said is None and body.action != "retry":
        message = "there is no message: send message, or messages with a turn of the role user"
        raise EaselError(ErrorCode.INVALID_REQUEST, message, param="message")
    return _text(said.content) if said is not None else ""


def linked_job(body: schemas.ChatImageRequest) -> str:
    """The newest job whose address stands in the conversation; "" where none does."""
    for turn in reversed(body.messages or []):
        if found := _LINK.findall(_text(turn.content)):
            return str(found[-1])
    return ""


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part.get("text", "")) for part in parts if isinstance(part, dict) and "text" in part)


def wanted(body: schemas.ChatImageRequest, prompt: str) -> Wanted:
    """A new picture."""
    return Wanted(
        prompt=prompt,
        model=body.model,
        width=body.width,
        height=body.height,
        seed=body.seed,
        num_images=body.num_images,
        enhance=body.use_enhancer,
        style=body.style,
        dialect="chat",
    )


def changed(body: schemas.ChatImageRequest, change: str, before: GenerateImage, picture: bytes | None) -> Wanted:
    """A change of a picture: from the picture itself where the model takes one, else its prompt drawn anew."""
    return Wanted(
        prompt=f"{before.prompt}, {change}",
        model=body.model or before.model,
        width=body.width or before.width,
        height=body.height or before.height,
        seed=before.seed if body.seed is None else body.seed,
        num_images=body.num_images,
        init_image=picture,
        strength=body.strength if picture is not None else None,
        enhance=body.use_enhancer,
        style=body.style,
        dialect="chat",
    )


def confirmed(body: schemas.ChatImageRequest, intent: Intent) -> bool:
    """Whether to draw without asking."""
    if body.confirm == "always":
        return False
    return body.confirm == "never" or CONFIDENCE[intent.source] >= _CERTAIN


def reply(intent: Intent, job: Job | None, conversation: str, *, asks: bool = False) -> schemas.ChatImageReply:
    """The answer."""
    reading, source = intent
    answer = schemas.ChatImageReply(
        intent=reading.intent,
        confidence=CONFIDENCE[source],
        source=source,
        prompt=reading.prompt,
        params={},
        needs_confirmation=asks,
        actions=[],
        conversation_id=conversation,
    )
    if asks:
        body = {"message": reading.prompt, "action": reading.intent, "conversation_id": conversation}
        confirm = schemas.ChatAction(name="confirm", method="POST", url="/v1/chat/images", body=body)
        return msgspec.structs.replace(answer, actions=[confirm])
    if job is None:
        return answer
    here = f"/job/{job.id}"
    return msgspec.structs.replace(
        answer,
        prompt=job.request.prompt,
        params=_params(job.request),
        job_id=job.id,
        status_url=here,
        events_url=f"{here}/events",
        image_url=f"{here}/image",
        actions=_actions(here, conversation, job.id),
    )


def _params(request: GenerateImage) -> dict[str, Any]:
    names = ("model", "width", "height", "seed", "num_images", "num_inference_steps", "guidance_scale")
    return {name: getattr(request, name) for name in names}


def _actions(here: str, conversation: str, job_id: str) -> list[schemas.ChatAction]:
    change = {"action": "edit", "job_id": job_id, "conversation_id": conversation, "message": "…"}
    return [
        schemas.ChatAction(name="retry", method="POST", url=f"{here}/retry"),
        schemas.ChatAction(name="edit", method="POST", url="/v1/chat/images", body=change),
        schemas.ChatAction(name="download", method="GET", url=f"{here}/image"),
    ]
