"""A job, its states and the record that its owner reads.

queued ──▶ running ──▶ succeeded
  │  ▲        │  └───▶ failed
  │  └────────┘  └───▶ cancelled        running ▶ queued: handed back by a worker that stops, or redelivered
  └──────────────────▶ cancelled | failed
"""

from __future__ import annotations

import enum
import re
import secrets

import msgspec

from contracts.errors import JobError
from contracts.images import GenerateImage, ImageRef
from contracts.prompts import EnhancedPrompt, EnhancePrompt

Stage = GenerateImage | EnhancePrompt
"""What a stage of a job asks for: a tagged union, one member for each kind of work."""

ATTEMPTS_PER_STAGE = 1000
"""Attempts at stage k are numbered from k times this, so that all of them come after those at the stage before."""


def attempt_at_stage(number: int) -> int:
    """An attempt's number as people count: from 1 in each stage."""
    return number % ATTEMPTS_PER_STAGE


class JobState(enum.StrEnum):
    """Where a job is; `SUCCESSORS` lists every legal move."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return not SUCCESSORS[self]


SUCCESSORS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.FAILED, JobState.CANCELLED}),
    JobState.RUNNING: frozenset({JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}

_JOB_ID = re.compile(r"[0-9a-f]{32}")


def new_job_id() -> str:
    """128 random bits as 32 hexadecimal digits: not guessable, and a legal subject token."""
    return secrets.token_hex(16)


def is_job_id(text: str) -> bool:
    """Whether `text` has the form of an id, so that it may stand in a subject."""
    return _JOB_ID.fullmatch(text) is not None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A unit of work as it waits in the queue.

    `stages` is a routing slip: the worker that finishes stage `stage` publishes the next one itself.
    """

    id: str
    stages: tuple[Stage, ...]
    stage: int = 0
    pool: str
    """The queue that the current stage waits in."""
    next_pool: str = ""
    """The queue of the stage after it; empty for the last one."""
    owner: str = ""
    """Id of the API key that submitted it; empty when the gateway runs without keys."""
    created_at: float
    """Unix seconds."""
    traceparent: str = ""
    """W3C trace context of the request that made the job."""
    attempts_before: int = 0
    """Attempts in the pools that the job was taken out of, and `ATTEMPTS_PER_STAGE` for each stage that was done; each
    pool counts its own from 1."""
    dialect: str = ""
    """How it was asked for, where that matters later."""
    fingerprint: str = ""
    """Equal for jobs that were asked for in the same words: tells a retry from another request."""

    @property
    def request(self) -> GenerateImage:
        """The pictures that it is all about. Until an enhancement is done, the prompt is the user's."""
        return next(stage for stage in self.stages if isinstance(stage, GenerateImage))

    @property
    def enhancement(self) -> EnhancePrompt | None:
        """How the prompt was to become a better one, if it was; with its `source` once it is done."""
        return next((stage for stage in self.stages if isinstance(stage, EnhancePrompt)), None)

    @property
    def to_enhance(self) -> EnhancePrompt | None:
        """The enhancement, where that is what the job waits for."""
        stage = self.stages[self.stage]
        return stage if isinstance(stage, EnhancePrompt) else None

    def with_request(self, request: GenerateImage) -> Job:
        """The same with other pictures."""
        stages = tuple(request if isinstance(stage, GenerateImage) else stage for stage in self.stages)
        return msgspec.structs.replace(self, stages=stages)

    def enhanced(self, done: EnhancedPrompt) -> Job:
        """The job as its next stage waits for it: what is drawn is the enhanced prompt."""
        stages = list(self.with_request(msgspec.structs.replace(self.request, prompt=done.prompt)).stages)
        stages[self.stage] = msgspec.structs.replace(stages[self.stage], source=done.source)
        return msgspec.structs.replace(
            self,
            stages=tuple(stages),
            stage=self.stage + 1,
            pool=self.next_pool,
            next_pool="",
            attempts_before=ATTEMPTS_PER_STAGE * (self.stage + 1),
        )


class JobOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended. Written once: the first outcome stored is the job's outcome."""

    job: Job
    state: JobState
    finished_at: float
    worker: str = ""
    attempt: int = 0
    started_at: float = 0.0
    """Unix seconds at which the attempt that ended it began; 0 when it never ran."""
    images: tuple[ImageRef, ...] = ()
    error: JobError | None = None
    last_event: int = -1
    """Number of the last event of the attempt, so that a follower knows when it has seen them all; -1 for none."""


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A job as its owner sees it at one moment, gathered from the bus by any gateway."""

    job: Job
    state: JobState
    attempt: int = 0
    step: int = 0
    total_steps: int = 0
    worker: str = ""
    started_at: float = 0.0
    outcome: JobOutcome | None = None
    """Present exactly when the state is terminal."""
