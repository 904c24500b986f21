"""The prompt-assist dialect's words to ours and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher

from contracts.errors import EaselError, ErrorCode
from contracts.prompts import EnhancedPrompt
from gateway.api.prompt_assist import schemas
from gateway.errors import HTTP_STATUS
from gateway.resolve import Wanted
from gateway.service import Drawn

_BAD_GATEWAY = 502
_BEHIND_US = {ErrorCode.UNAVAILABLE, ErrorCode.ENGINE_FAILED}


def wanted(body: schemas.GenerationRequest) -> Wanted:
    """What is asked for."""
    side = int(body.size.partition("x")[0])
    return Wanted(prompt=body.prompt, num_images=body.n, width=side, height=side, enhance=body.use_enhancer)


def reply(drawn: Drawn) -> schemas.GenerationReply:
    """The answer."""
    return schemas.GenerationReply(
        created_at_unix_timestamp=int(drawn.outcome.finished_at),
        data=[
            schemas.GeneratedImage(base64_encoded_image=picture.data, content_type=picture.ref.content_type)
            for picture in drawn.pictures
        ],
    )


def preview(prompt: str, enhanced: EnhancedPrompt) -> schemas.EnhancePreview:
    """Before and after, and what happened in between."""
    return schemas.EnhancePreview(
        prompt=prompt,
        enhanced_prompt=enhanced.prompt,
        source=enhanced.source,
        language_model=enhanced.language_model,
        changes=list(_changes(prompt, enhanced.prompt)),
    )


def _changes(before: str, after: str) -> Iterator[schemas.PromptChange]:
    old, new = _pieces(before), _pieces(after)
    for op, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if op == "equal":
            yield schemas.PromptChange(op="keep", text="".join(old[old_from:old_to]))
            continue
        if removed := "".join(old[old_from:old_to]):
            yield schemas.PromptChange(op="remove", text=removed)
        if added := "".join(new[new_from:new_to]):
            yield schemas.PromptChange(op="add", text=added)


def _pieces(text: str) -> list[str]:
    """Words, spaces and marks."""
    return re.findall(r"\w+|\s+|[^\w\s]", text)


def error(fault: EaselError) -> tuple[int, schemas.PromptAssistErrorReply]:
    """Status and body of a failure; this dialect calls what lies behind the gateway a bad gateway."""
    status = _BAD_GATEWAY if fault.code in _BEHIND_US else HTTP_STATUS[fault.code]
    return status, schemas.PromptAssistErrorReply(error=fault.message, status_code=status)
