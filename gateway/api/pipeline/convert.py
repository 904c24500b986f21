"""The pipeline dialect's words to ours and back."""

from __future__ import annotations

from contracts.errors import EaselError, ErrorCode
from contracts.jobs import JobOutcome, JobRecord, JobState
from gateway.api.pipeline import schemas
from gateway.errors import HTTP_STATUS
from gateway.loras import asked_loras
from gateway.resolve import Wanted

DIALECT = "pipeline"
NOT_NOW = "Pipeline execution is already running or pipeline is not initialized."
NOT_YET = "Pipeline execution is not yet complete."
STARTED = "Pipeline execution started in background."


def wanted(body: schemas.RunRequest, slot: schemas.Slot) -> Wanted:
    """What is asked for, on the device that was selected."""
    return Wanted(prompt=body.prompt, device=slot.device, loras=asked_loras(body.loras), dialect=DIALECT)


def success(message: str) -> schemas.PipelineReply:
    """It went well."""
    return schemas.PipelineReply(status="success", message=message)


def prepared(device: str) -> schemas.PipelineReply:
    """The answer to a device that is ready."""
    return success(f"Pipeline prepared on {device}.")


def is_running(record: JobRecord | None) -> bool:
    """Whether the last run has not ended."""
    return record is not None and not record.state.is_terminal


def status(record: JobRecord | None) -> schemas.PipelineStatus:
    """How the last run stands; neither when there was none, or when it failed."""
    done = record is not None and record.state is JobState.SUCCEEDED
    return schemas.PipelineStatus(running=is_running(record), completed=done)


def succeeded(record: JobRecord | None) -> JobOutcome:
    """The outcome of a run that has its picture.

    Raises:
        EaselError: CONFLICT before that; the job's own fault when it failed.
    """
    outcome = None if record is None else record.outcome
    if outcome is None:
        raise EaselError(ErrorCode.CONFLICT, NOT_YET)
    if outcome.state is JobState.SUCCEEDED:
        return outcome
    why = outcome.error.message if outcome.error else outcome.state.value
    raise EaselError(ErrorCode.CONFLICT, f"{NOT_YET} The last run ended without a picture: {why}")


def error(fault: EaselError) -> tuple[int, schemas.PipelineReply]:
    """Status and body of a failure."""
    return HTTP_STATUS[fault.code], schemas.PipelineReply(status="error", message=fault.message)
