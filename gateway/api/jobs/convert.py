"""The job routes' words to ours and back."""

from __future__ import annotations

import msgspec

from contracts.errors import EaselError, ErrorCode
from contracts.jobs import JobOutcome, JobRecord, JobState, attempt_at_stage
from contracts.prompts import EnhancePrompt
from contracts.workers import WorkerPresence
from gateway.api.jobs import schemas
from gateway.errors import HTTP_STATUS
from gateway.loras import asked_loras
from gateway.pictures import sent_picture
from gateway.resolve import Wanted
from gateway.service import Drawn, Picture


def wanted(body: schemas.GenerateRequest) -> Wanted:
    """What is asked for.

    Raises:
        EaselError: UNSUPPORTED (`mode`), INVALID_REQUEST.
    """
    if body.mode is not None:
        message = "bodies with 'mode' are for POST /generate, which answers them in another dialect"
        raise EaselError(ErrorCode.UNSUPPORTED, message, param="mode")
    if None not in (body.steps, body.num_inference_steps) and body.steps != body.num_inference_steps:
        raise EaselError(
            ErrorCode.INVALID_REQUEST, "steps and num_inference_steps contradict each other", param="steps"
        )
    return Wanted(
        prompt=body.prompt,
        model=body.model,
        device=body.device,
        negative_prompt=body.negative_prompt,
        width=body.width,
        height=body.height,
        num_inference_steps=body.num_inference_steps if body.steps is None else body.steps,
        guidance_scale=body.guidance_scale,
        seed=body.seed,
        num_images=body.num_images,
        output_format=body.output_format,
        output_compression=body.output_compression,
        init_image=_picture(body.init_image, "init_image"),
        mask_image=_picture(body.mask_image, "mask_image"),
        mask_inverted=body.mask_inverted,
        mask_blur=body.mask_blur,
        strength=body.strength,
        scheduler=body.scheduler,
        loras=asked_loras(body.loras),
        num_previews=body.num_previews,
        deterministic=bool(body.deterministic),
        cache=body.cache,
        enhance=bool(body.use_enhancer),
        style=body.style,
    )


def _picture(text: str | None, param: str) -> bytes | str | None:
    return sent_picture(text, param) if text else None


def generated(drawn: Drawn) -> schemas.GenerateReply:
    """The pictures of a job that succeeded."""
    request, first = drawn.outcome.job.request, drawn.pictures[0]
    return schemas.GenerateReply(
        job_id=drawn.outcome.job.id,
        image_base64=first.data,
        width=first.ref.width,
        height=first.ref.height,
        seed=first.ref.seed,
        prompt=request.prompt,
        generation_time=round(drawn.outcome.finished_at - drawn.outcome.started_at, 3),
        model=request.model,
        negative_prompt=request.negative_prompt,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        content_type=first.ref.content_type,
        images=[_picture_reply(picture) for picture in drawn.pictures] if len(drawn.pictures) > 1 else msgspec.UNSET,
    )


def _picture_reply(picture: Picture) -> schemas.PictureReply:
    ref = picture.ref
    return schemas.PictureReply(
        index=ref.index, image_base64=picture.data, seed=ref.seed, width=ref.width, height=ref.height
    )


def submitted(job_id: str) -> schemas.SubmittedReply:
    """Where a queued job can be seen."""
    here = f"/job/{job_id}"
    return schemas.SubmittedReply(
        job_id=job_id,
        status_url=here,
        result_url=f"{here}/result",
        image_url=f"{here}/image",
        events_url=f"{here}/events",
    )


def job(record: JobRecord) -> schemas.JobReply:
    """A job as its owner sees it."""
    request, outcome = record.job.request, record.outcome
    done = record.state is JobState.SUCCEEDED
    total = record.total_steps or request.num_inference_steps
    step = total if done else record.step
    error = outcome.error if outcome else None
    return schemas.JobReply(
        job_id=record.job.id,
        status=record.state,
        progress=round(step / total, 4) if total else 0.0,
        step=step,
        total_steps=total,
        attempt=attempt_at_stage(record.attempt),
        worker=record.worker,
        created_at=record.job.created_at,
        started_at=record.started_at or None,
        finished_at=outcome.finished_at if outcome else None,
        model=request.model,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        width=request.width,
        height=request.height,
        seed=request.seed,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        num_images=request.num_images,
        scheduler=request.scheduler,
        loras=list(request.loras),
        deterministic=request.deterministic,
        cache=request.cache,
        strength=request.strength if request.init_image else None,
        images=picture_facts(outcome) if outcome else [],
        enhancement=enhancement(record.job.enhancement),
        error=error.message if error else None,
        code=error.code.value if error else None,
    )


def enhancement(wish: EnhancePrompt | None) -> schemas.EnhancementReply | msgspec.UnsetType:
    """What became of the prompt, for jobs that were to have a better one."""
    if wish is None:
        return msgspec.UNSET
    return schemas.EnhancementReply(original_prompt=wish.prompt, style=wish.style, source=wish.source)


def picture_facts(outcome: JobOutcome) -> list[schemas.PictureFacts]:
    """What is known of each picture, and where its bytes are."""
    return [
        schemas.PictureFacts(
            index=ref.index,
            seed=ref.seed,
            width=ref.width,
            height=ref.height,
            content_type=ref.content_type,
            size=ref.size,
            url=f"/job/{outcome.job.id}/image?index={ref.index}",
            thumbnail_url=f"/job/{outcome.job.id}/thumbnail?index={ref.index}",
        )
        for ref in outcome.images
    ]


def succeeded(record: JobRecord) -> JobOutcome:
    """The outcome of a job that has pictures.

    Raises:
        EaselError: CONFLICT when it has not ended or was cancelled; else why it failed.
    """
    outcome, job_id = record.outcome, record.job.id
    if outcome is None:
        raise EaselError(ErrorCode.CONFLICT, f"job {job_id} is {record.state}; ask again when it has succeeded")
    if outcome.state is JobState.CANCELLED:
        raise EaselError(ErrorCode.CONFLICT, f"job {job_id} is cancelled and has no pictures")
    if outcome.state is not JobState.SUCCEEDED:
        fault = outcome.error
        raise EaselError(
            fault.code if fault else ErrorCode.INTERNAL, fault.message if fault else f"job {job_id} failed"
        )
    return outcome


def worker(presence: WorkerPresence) -> schemas.WorkerReply:
    """One entry of the list."""
    return schemas.WorkerReply(
        id=presence.id,
        service=presence.service,
        pool=presence.pool,
        device=presence.device,
        models=[model.id for model in presence.models],
        loaded=list(presence.loaded),
        slots=presence.slots,
        free_slots=presence.free_slots,
        host=presence.host,
        version=presence.version,
        started_at=presence.started_at,
        memory_bytes=presence.memory_bytes,
        devices=list(presence.devices),
    )


def error(fault: EaselError) -> tuple[int, schemas.JobsErrorReply]:
    """Status and body of a failure."""
    reply = schemas.JobsErrorReply(error=fault.message, code=fault.code.value, param=fault.param)
    return HTTP_STATUS[fault.code], reply
