"""Asking one worker to get ready, and answering it: questions whose answer may take minutes and tells how it goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from contracts import codec
from contracts.errors import EaselError, ErrorCode, JobError
from contracts.preparation import (
    ALIVE_S,
    NotPrepared,
    Preparation,
    PreparationReply,
    Prepared,
    PrepareModel,
    Preparing,
    UnloadModel,
)
from runtime.messaging.connection import Bus
from runtime.process.waiting import until

log = structlog.get_logger()

SILENCE_S = 5 * ALIVE_S
"""Seconds without a sign after which a worker is taken to be gone."""

OnStage = Callable[[str], None]
Prepare = Callable[[Preparation, OnStage], Awaitable[Prepared]]
"""Does what is asked; `on_stage` may be called from any thread. Raises EaselError."""


async def prepare(
    bus: Bus, worker_id: str, model: str = "", device: str = "", on_stage: OnStage | None = None
) -> Prepared:
    """Have `model` in memory on `device` of one worker; empty for its first model, the device in use.

    `on_stage` hears what is being done, in words for people.

    Raises:
        EaselError: as the worker says (MODEL_NOT_FOUND; ENGINE_FAILED with the devices there are, or with what is
            missing); UNAVAILABLE, no such worker, or it fell silent.
    """
    return await _ask(bus, worker_id, PrepareModel(model=model, device=device), on_stage)


async def unload(bus: Bus, worker_id: str, model: str) -> Prepared:
    """Have `model` out of memory on one worker; harmless when it is not there.

    Raises:
        EaselError: MODEL_NOT_FOUND; UNAVAILABLE, no such worker, or it fell silent.
    """
    return await _ask(bus, worker_id, UnloadModel(model=model), None)


async def _ask(bus: Bus, worker_id: str, wanted: Preparation, on_stage: OnStage | None) -> Prepared:
    inbox = bus.client.new_inbox()
    subscription = await bus.client.subscribe(inbox)
    try:
        await bus.client.publish(bus.subjects.prepare(worker_id), codec.encode(wanted), reply=inbox)
        while True:
            message = await subscription.next_msg(timeout=SILENCE_S)
            if (message.headers or {}).get("Status") == "503":
                raise _gone(worker_id, "is not connected, or takes no preparations")
            match _reply_in(message.data):
                case Preparing(stage=stage):
                    if on_stage is not None:
                        on_stage(stage)
                case NotPrepared(error=error):
                    raise EaselError(error.code, error.message, param=error.param)
                case Prepared() as done:
                    return done
    except (TimeoutError, NatsError) as fault:
        raise _gone(worker_id, f"said nothing for {SILENCE_S:g} s") from fault
    finally:
        with contextlib.suppress(NatsError):
            await subscription.unsubscribe()


def _gone(worker_id: str, how: str) -> EaselError:
    return EaselError(ErrorCode.UNAVAILABLE, f"the worker {worker_id} {how}", retry_after_s=5)


@contextlib.asynccontextmanager
async def preparations(bus: Bus, worker_id: str, handle: Prepare) -> AsyncIterator[None]:
    """Answer `prepare` and `unload` with `handle` while the block runs."""
    answers: set[asyncio.Task[None]] = set()

    async def on_message(message: Msg) -> None:
        task = asyncio.create_task(_answer(bus, message, handle))
        answers.add(task)
        task.add_done_callback(answers.discard)

    subscription = await bus.subscribe(bus.subjects.prepare(worker_id), on_message)
    try:
        yield
    finally:
        for task in answers:
            task.cancel()
        if bus.connected:
            await subscription.unsubscribe()


async def _answer(bus: Bus, message: Msg, handle: Prepare) -> None:
    async def reply(said: PreparationReply) -> None:
        await bus.publish(message.reply, codec.encode(said))

    loop, telling = asyncio.get_running_loop(), _Telling(reply)

    def on_stage(words: str) -> None:
        loop.call_soon_threadsafe(telling.note, words)

    keeping_alive = asyncio.create_task(telling.keep_alive())
    try:
        done: PreparationReply = await handle(_wanted_in(message.data), on_stage)
    except codec.SchemaMismatch as fault:
        done = NotPrepared(error=JobError(code=ErrorCode.INVALID_REQUEST, message=str(fault)))
    except EaselError as fault:
        done = NotPrepared(error=fault.as_job_error())
    except Exception:  # the asker is told that it failed, the log why
        log.exception("preparing failed")
        said = "the worker failed to prepare; its log says why"
        done = NotPrepared(error=JobError(code=ErrorCode.ENGINE_FAILED, message=said))
    finally:
        keeping_alive.cancel()
    await telling.tell()
    await reply(done)


def _wanted_in(data: bytes) -> Preparation:
    wanted: Preparation = codec.decode(data, Preparation)  # type: ignore[arg-type]  # a union is no type to mypy
    return wanted


def _reply_in(data: bytes) -> PreparationReply:
    said: PreparationReply = codec.decode(data, PreparationReply)  # type: ignore[arg-type]  # a union is no type to mypy
    return said


class _Telling:
    """Tells each stage as it comes, and the last one again every `ALIVE_S` seconds."""

    def __init__(self, reply: Callable[[Preparing], Awaitable[None]]) -> None:
        self._reply = reply
        self._untold = deque(["waiting for the picture being drawn"])
        self._news = asyncio.Event()
        self._last = ""

    def note(self, stage: str) -> None:
        self._untold.append(stage)
        self._news.set()

    async def keep_alive(self) -> None:
        while True:
            await until(self._news, ALIVE_S)
            self._news.clear()
            if not self._untold:
                self._untold.append(self._last)
            await self.tell()

    async def tell(self) -> None:
        """What has not been told yet."""
        while self._untold:
            self._last = self._untold.popleft()
            await self._reply(Preparing(stage=self._last))
