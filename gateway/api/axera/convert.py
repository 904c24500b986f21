"""The picker's words to ours and back."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.errors import EaselError, ErrorCode
from contracts.events import Progress, Started, StoredEvent
from gateway.api.axera import schemas
from gateway.errors import HTTP_STATUS
from gateway.pictures import sent_picture
from gateway.resolve import Wanted
from gateway.service import Drawn

STRENGTH = 0.5
"""What the picker's configuration has."""
_PARAMS = {
    "num_inference_steps": "steps",
    "guidance_scale": "cfg_scale",
    "num_images": "batch_size",
    "strength": "denoising_strength",
}


def wanted(body: schemas.ModeRequest) -> Wanted:
    """What is asked for.

    Raises:
        EaselError: INVALID_REQUEST, img2img without a picture among others.
    """
    drawing = Wanted(
        prompt=body.prompt,
        negative_prompt=body.negative_prompt,
        width=body.width,
        height=body.height,
        num_inference_steps=body.steps,
        guidance_scale=body.cfg_scale,
        seed=body.seed,
        num_images=(1 if body.n_iter is None else body.n_iter) * (1 if body.batch_size is None else body.batch_size),
        scheduler=body.sampler_name,
        init_image=_start(body),
        strength=_strength(body),
        lenient=True,
    )
    if not body.prompt.strip():
        raise EaselError(ErrorCode.INVALID_REQUEST, "the prompt is empty; say what to draw", param="prompt")
    return drawing


def _start(body: schemas.ModeRequest) -> bytes | str | None:
    if body.mode == "txt2img":
        return None
    text = body.init_image or next(iter(body.init_images or ()), "")
    if not text:
        said = "mode img2img needs init_image: a picture in base64"
        raise EaselError(ErrorCode.INVALID_REQUEST, said, param="init_image")
    return sent_picture(text, "init_image")


def _strength(body: schemas.ModeRequest) -> float:
    asked = body.strength if body.denoising_strength is None else body.denoising_strength
    return STRENGTH if asked is None else asked


def reply(drawn: Drawn, history: Sequence[StoredEvent]) -> schemas.ModeReply:
    """The answer; `history` tells the times."""
    outcome, first = drawn.outcome, drawn.pictures[0]
    request = outcome.job.request
    return schemas.ModeReply(
        base64=first.data,
        images=[picture.data for picture in drawn.pictures],
        seed=first.ref.seed,
        width=first.ref.width,
        height=first.ref.height,
        steps=request.num_inference_steps,
        sampler_name=request.scheduler,
        text_time_ms=round(before_first_step(history, outcome.attempt) * 1000),
        total_time_ms=round((outcome.finished_at - outcome.started_at) * 1000),
        job_id=outcome.job.id,
    )


def before_first_step(history: Sequence[StoredEvent], attempt: int) -> float:
    """Seconds from the start to the end of the first step, less what the other steps took on average."""
    mine = [event for event in history if event.id.attempt == attempt]
    began = next((event.at for event in mine if isinstance(event, Started)), None)
    ends = [event.at for event in mine if isinstance(event, Progress)]
    if began is None or not ends:
        return 0.0
    step = (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else 0.0
    return max(0.0, ends[0] - began - step)


def error(fault: EaselError) -> tuple[int, schemas.ModeErrorReply]:
    """Status and body of a failure."""
    param = _PARAMS.get(fault.param, fault.param) if fault.param else None
    return HTTP_STATUS[fault.code], schemas.ModeErrorReply(error=fault.message, code=fault.code.value, param=param)
