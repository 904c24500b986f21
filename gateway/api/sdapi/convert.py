"""The web UI's words to ours and back."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from contracts.errors import EaselError, ErrorCode
from contracts.events import Progress, StoredEvent
from contracts.images import GenerateImage
from contracts.infotext import parameters_text, prompt_text
from contracts.jobs import JobOutcome, JobRecord, JobState
from gateway.api.sdapi import schemas
from gateway.errors import HTTP_STATUS
from gateway.loras import taken_out
from gateway.pictures import sent_picture
from gateway.resolve import Wanted
from gateway.service import Drawn

DIALECT = "sdapi"
STRENGTH = 0.75
PREVIEWS = 4
"""Pictures of the unfinished work for `progress`."""
_INVALID = 422
_PARAMS = {
    "num_inference_steps": "steps",
    "guidance_scale": "cfg_scale",
    "num_images": "batch_size",
    "strength": "denoising_strength",
    "init_image": "init_images",
    "mask_image": "mask",
    "model": "sd_model_checkpoint",
    "loras": "prompt",
}
_PICTURES = ("init_images", "mask")


def wanted(body: schemas.Txt2ImgRequest, checkpoint: str | None) -> Wanted:
    """What is asked for, of the model `checkpoint` where the request names none; LoRAs stand in the prompt.

    Raises:
        EaselError: INVALID_REQUEST.
    """
    prompt, loras = taken_out(body.prompt or "")
    own = (body.override_settings or {}).get("sd_model_checkpoint") or body.model
    batches = 1 if body.n_iter is None else body.n_iter
    return Wanted(
        prompt=prompt,
        model=str(own) if own else checkpoint,
        negative_prompt=body.negative_prompt,
        width=body.width,
        height=body.height,
        num_inference_steps=body.steps,
        guidance_scale=body.cfg_scale,
        seed=body.seed,
        num_images=(1 if body.batch_size is None else body.batch_size) * batches,
        scheduler=_scheduler(body),
        loras=loras,
        num_previews=PREVIEWS,
        lenient=True,
        dialect=DIALECT,
    )


def wanted_edit(body: schemas.Img2ImgRequest, checkpoint: str | None) -> Wanted:
    """What is asked for, with the pictures to start from.

    Raises:
        EaselError: NOT_FOUND when there is none, as the web UI has it; INVALID_REQUEST.
    """
    if not body.init_images:
        raise EaselError(ErrorCode.NOT_FOUND, "Init image not found: send it in init_images", param="init_image")
    return msgspec.structs.replace(
        wanted(body, checkpoint),
        init_image=sent_picture(body.init_images[0], "init_images"),
        mask_image=sent_picture(body.mask, "mask") if body.mask else None,
        mask_inverted=bool(body.inpainting_mask_invert),
        mask_blur=body.mask_blur if body.mask else None,
        strength=STRENGTH if body.denoising_strength is None else body.denoising_strength,
    )


def _scheduler(body: schemas.Txt2ImgRequest) -> str | None:
    sampler = body.sampler_name or body.sampler_index
    spacing = (body.scheduler or "").strip()
    if not sampler or spacing.lower() in ("", "automatic"):
        return sampler
    return f"{sampler} {spacing}"


def notes(body: schemas.Txt2ImgRequest) -> tuple[str, ...]:
    """What the client should know of fields that have no effect."""
    return ("enable_hr: there is no second pass here",) if body.enable_hr else ()


def answer(body: schemas.Txt2ImgRequest, drawn: Drawn) -> schemas.ImagesAnswer:
    """The pictures, and how they were drawn."""
    return schemas.ImagesAnswer(
        images=[] if body.send_images is False else [picture.data for picture in drawn.pictures],
        parameters=_parameters(body),
        info=json.dumps(_info(drawn.outcome), ensure_ascii=False),
    )


def _parameters(body: schemas.Txt2ImgRequest) -> dict[str, Any]:
    """Only what had a meaning: clients put their passwords into the rest."""
    fields = msgspec.structs.asdict(body)
    if not fields.pop("include_init_images", None):
        fields |= dict.fromkeys((name for name in _PICTURES if name in fields), None)
    settings = fields.pop("override_settings") or {}
    return {**fields, "override_settings": {k: v for k, v in settings.items() if k == "sd_model_checkpoint"}}


def _info(outcome: JobOutcome) -> dict[str, Any]:
    request, refs = outcome.job.request, outcome.images
    first, count = refs[0], len(refs)
    prompt = prompt_text(request)
    return {
        "prompt": prompt,
        "all_prompts": [prompt] * count,
        "negative_prompt": request.negative_prompt,
        "all_negative_prompts": [request.negative_prompt] * count,
        "seed": first.seed,
        "all_seeds": [ref.seed for ref in refs],
        "subseed": first.seed,
        "all_subseeds": [ref.seed for ref in refs],
        "subseed_strength": 0,
        "width": first.width,
        "height": first.height,
        "sampler_name": request.scheduler,
        "cfg_scale": request.guidance_scale,
        "steps": request.num_inference_steps,
        "batch_size": count,
        "restore_faces": False,
        "face_restoration_model": None,
        "sd_model_name": request.model,
        "sd_model_hash": None,
        "sd_vae_name": None,
        "sd_vae_hash": None,
        "seed_resize_from_w": -1,
        "seed_resize_from_h": -1,
        "denoising_strength": request.strength if request.init_image else None,
        "extra_generation_params": {},
        "index_of_first_image": 0,
        "infotexts": [parameters_text(request, ref.index, (ref.width, ref.height)) for ref in refs],
        "styles": [],
        "job_timestamp": _timestamp(outcome.started_at),
        "clip_skip": 1,
        "is_using_inpainting_conditioning": request.mask_image is not None,
        "version": "Easel",
        "job_id": outcome.job.id,
    }


def progress(records: Sequence[JobRecord], history: Sequence[StoredEvent], now: float) -> schemas.ProgressAnswer:
    """How the first of `records`, of which `history` tells, is doing; nothing when there is none."""
    if not records:
        return schemas.ProgressAnswer(state=schemas.ProgressState())
    record = records[0]
    request: GenerateImage = record.job.request
    total = record.total_steps or request.num_inference_steps
    share = min(1.0, 0.01 + record.step / total)
    spent = now - record.started_at if record.started_at else 0.0
    shown = [event.previews for event in history if isinstance(event, Progress) and event.previews]
    return schemas.ProgressAnswer(
        progress=share,
        eta_relative=max(0.0, spent / share - spent),
        current_image=shown[-1][0].data if shown else None,
        current_task=record.job.id,
        state=schemas.ProgressState(
            job=record.job.id,
            job_count=len(records),
            job_timestamp=_timestamp(record.job.created_at),
            sampling_step=record.step,
            sampling_steps=total,
        ),
    )


def at_work(records: Sequence[JobRecord]) -> JobRecord | None:
    """The oldest job that runs, else the one that is next."""
    running = [record for record in records if record.state is JobState.RUNNING]
    return next(iter([*running, *records]), None)


def _timestamp(at: float) -> str:
    return time.strftime("%Y%m%d%H%M%S", time.localtime(at))


def error(fault: EaselError) -> tuple[int, schemas.SdErrorReply]:
    """Status and body of a failure. Here alone 422 says that a field is wrong, as the web UI does."""
    wrong = fault.code in (ErrorCode.INVALID_REQUEST, ErrorCode.UNSUPPORTED)
    param = _PARAMS.get(fault.param, fault.param) if fault.param else None
    said = fault.message if param is None or param in fault.message else f"{param}: {fault.message}"
    reply = schemas.SdErrorReply(error=fault.code.value, detail=said, errors=said)
    return _INVALID if wrong else HTTP_STATUS[fault.code], reply
