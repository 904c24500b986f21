"""Jobs and workers as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.events import Progress
from contracts.jobs import JobOutcome, JobRecord, JobState, attempt_at_stage
from contracts.workers import WorkerPresence
from gateway.api.page import schemas

MEMORY_GRAIN = 16 << 20
"""Bytes: smaller changes are not worth telling."""


def job(record: JobRecord, ahead: int | None = None) -> schemas.PageJob:
    """A job at one moment."""
    request, outcome = record.job.request, record.outcome
    error = outcome.error if outcome else None
    return schemas.PageJob(
        id=record.job.id,
        state=record.state,
        ahead=ahead,
        attempt=attempt_at_stage(record.attempt),
        step=record.step,
        total_steps=record.total_steps or request.num_inference_steps,
        worker=record.worker,
        created_at=record.job.created_at,
        started_at=record.started_at or None,
        finished_at=outcome.finished_at if outcome else None,
        model=request.model,
        prompt=request.prompt,
        asked_prompt=asked.prompt if (asked := record.job.enhancement) and asked.prompt != request.prompt else None,
        enhancing=outcome is None and record.job.to_enhance is not None,
        negative_prompt=request.negative_prompt,
        width=request.width,
        height=request.height,
        seed=request.seed,
        num_inference_steps=request.num_inference_steps,
        guidance_scale=request.guidance_scale,
        num_images=request.num_images,
        loras=list(request.loras),
        strength=request.strength if request.init_image else None,
        masked=request.mask_image is not None,
        pictures=[
            schemas.PagePicture(
                index=ref.index,
                seed=ref.seed,
                width=ref.width,
                height=ref.height,
                content_type=ref.content_type,
                size=ref.size,
            )
            for ref in (outcome.images if outcome else ())
        ],
        error=error.message if error else None,
        code=error.code.value if error else None,
    )


def ended(outcome: JobOutcome) -> JobRecord:
    """The record that an outcome makes."""
    return JobRecord(
        job=outcome.job,
        state=outcome.state,
        attempt=outcome.attempt,
        worker=outcome.worker,
        started_at=outcome.started_at,
        outcome=outcome,
    )


def places(unfinished: Sequence[JobRecord]) -> dict[str, int | None]:
    """How many jobs of its pool wait before each; None for one that runs. `unfinished` is in the queue's order."""
    waiting: dict[str, int] = {}
    found: dict[str, int | None] = {}
    for record in unfinished:
        pool = record.job.pool
        if record.state is not JobState.QUEUED:
            found[record.job.id] = None
            continue
        found[record.job.id] = waiting.get(pool, 0)
        waiting[pool] = waiting.get(pool, 0) + 1
    return found


def progress(job_id: str, event: Progress) -> schemas.PageProgress:
    """A step, with how the pictures look."""
    return schemas.PageProgress(
        id=job_id,
        attempt=attempt_at_stage(event.id.attempt),
        step=event.step,
        total_steps=event.total_steps,
        worker=event.worker,
        at=event.at,
        started_at=event.started_at,
        previews=[
            schemas.PagePreview(index=preview.index, content_type=preview.content_type, data=preview.data)
            for preview in event.previews
        ],
    )


def worker(presence: WorkerPresence) -> schemas.PageWorker:
    """One entry of the devices."""
    return schemas.PageWorker(
        id=presence.id,
        service=presence.service,
        pool=presence.pool,
        device=presence.device,
        models=list(presence.models),
        loaded=list(presence.loaded),
        slots=presence.slots,
        free_slots=presence.free_slots,
        host=presence.host,
        version=presence.version,
        started_at=presence.started_at,
        memory_bytes=presence.memory_bytes // MEMORY_GRAIN * MEMORY_GRAIN,
    )
