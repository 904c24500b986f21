"""The enhancer on the bus: questions that are answered at once, and the stage of jobs that goes before drawing."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
from typing import Any

import msgspec
import structlog

from contracts.errors import EaselError, ErrorCode
from contracts.images import ModelInfo
from contracts.jobs import Job
from contracts.prompts import (
    ENHANCER,
    EnhancedPrompt,
    EnhancePrompt,
    MessageIntent,
    PromptDraft,
    PromptSource,
    ReadIntent,
)
from runtime.messaging.connection import Bus
from runtime.messaging.micro_service import Question, SendDraft, answering
from runtime.worker.handler import OnStep
from services.enhancer.enhancer import Enhancer
from services.enhancer.intent import read_intent

log = structlog.get_logger()


class EnhanceHandler:
    """Satisfies `runtime.worker.handler.Handler[EnhancedPrompt]`."""

    def __init__(self, enhancer: Enhancer, bus: Bus) -> None:
        self._enhancer = enhancer
        self._bus = bus
        self._stack = contextlib.AsyncExitStack()

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        return ()

    @property
    def device(self) -> str:
        return self._enhancer.model.name

    @property
    def loaded(self) -> tuple[str, ...]:
        return ()

    @property
    def slots(self) -> int:
        return 1  # more where the operator says so

    async def start(self) -> None:
        await self._enhancer.model.start()
        questions = [
            Question("enhance", EnhancePrompt, self._answer),
            Question("read-intent", ReadIntent, self._read_intent),
        ]
        service = answering(
            self._bus,
            ENHANCER,
            questions,
            version=importlib.metadata.version("easel"),
            metadata={"language_model": self._enhancer.model.name},
            data=self._statistics,
        )
        await self._stack.enter_async_context(service)

    async def compute(self, job: Job, on_step: OnStep) -> EnhancedPrompt:  # noqa: ARG002  a prompt has no steps
        """The job goes on whatever happens here: a picture of the prompt as it was is better than none."""
        wish = job.to_enhance
        if wish is None:
            raise EaselError(ErrorCode.INTERNAL, "a job without a prompt to enhance came to the enhancer")
        try:
            return await self._enhancer.enhance(wish)
        except EaselError as fault:
            log.warning("prompt drawn as it was", fault=fault.message)
        except Exception:  # as above; the log says what to mend
            log.exception("prompt drawn as it was: the enhancer broke")
        return EnhancedPrompt(prompt=wish.prompt, source=PromptSource.ORIGINAL)

    async def deliver(self, job: Job, attempt: int, computed: EnhancedPrompt) -> EnhancedPrompt:  # noqa: ARG002
        """Nothing to store: the next stage carries it."""
        return computed

    def settled(self, job_id: str) -> None:
        """Nothing is left to do."""

    async def close(self) -> None:
        await self._stack.aclose()
        await self._enhancer.model.close()

    async def _answer(self, wish: EnhancePrompt, send_draft: SendDraft | None) -> msgspec.Struct:
        if send_draft is None:
            return await self._enhancer.enhance(wish)
        drafts: asyncio.Queue[PromptDraft | None] = asyncio.Queue()

        async def send() -> None:
            while (draft := await drafts.get()) is not None:
                await send_draft(draft)

        sending = asyncio.create_task(send())
        try:
            return await self._enhancer.enhance(
                wish, lambda text, attempt: drafts.put_nowait(PromptDraft(text=text, attempt=attempt))
            )
        finally:
            drafts.put_nowait(None)
            await sending

    async def _read_intent(self, asked: ReadIntent, _: SendDraft | None) -> MessageIntent:
        return await read_intent(self._enhancer, asked)

    def _statistics(self) -> dict[str, Any]:
        return {"working": self._enhancer.working, **self._enhancer.counts}
