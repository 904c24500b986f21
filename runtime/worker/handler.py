"""What a service gives the job loop: a handler, and the words in which the two talk."""

from __future__ import annotations

from typing import Protocol, TypeVar

from contracts.errors import EaselError
from contracts.images import ImageRef, ModelInfo, PreviewImage
from contracts.jobs import Job
from contracts.prompts import EnhancedPrompt


class OnStep(Protocol):
    """Called after each step, from the engine's own thread: reports progress, and raises `JobCancelled`."""

    def __call__(self, done: int, total: int, previews: tuple[PreviewImage, ...] = (), /) -> None: ...


class JobCancelled(Exception):  # noqa: N818  not a failure
    """The job need not be finished: cancelled, ended elsewhere, handed back. `on_step` raises it, engines pass it."""


class NotThisWorker(Exception):  # noqa: N818  not a failure
    """Another worker of the pool may be able to do the job; `lack` says why this one is not."""

    def __init__(self, lack: EaselError) -> None:
        super().__init__(lack.message)
        self.lack = lack


Computed = TypeVar("Computed")


class Handler(Protocol[Computed]):
    """Runs jobs of one kind. One instance serves a whole worker process."""

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        """What the worker offers."""

    @property
    def device(self) -> str:
        """The device, as people name it."""

    @property
    def loaded(self) -> tuple[str, ...]:
        """Ids of the models in memory."""

    @property
    def slots(self) -> int:
        """Jobs that it computes at once with profit, at the moment."""

    async def start(self) -> None:
        """Get ready; the worker announces itself afterwards. Raises EaselError when it cannot work at all."""

    async def compute(self, job: Job, on_step: OnStep) -> Computed:
        """Do the part of the job that needs the slot (the device).

        Raises:
            JobCancelled: passed on from `on_step`.
            NotThisWorker: the job is offered again; when it was so often enough, it fails with the cause.
            EaselError: the job cannot be done; it fails with this reason.
        """

    async def deliver(self, job: Job, attempt: int, computed: Computed) -> tuple[ImageRef, ...] | EnhancedPrompt:
        """Encode and store what was computed. Runs after the slot was given to the next job."""

    def settled(self, job_id: str) -> None:
        """The job has left this worker, whatever became of it: time for what no client waits for."""

    async def close(self) -> None:
        """Release everything; harmless when repeated."""
