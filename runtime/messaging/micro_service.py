"""Questions that are answered at once: a NATS micro service (ADR-32), discoverable and counted by `$SRV`.

For work that takes seconds and that the asker can repeat. A question goes to any one process of the service.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.micro.request import ERROR_CODE_HEADER, ERROR_HEADER, Request, ServiceError
from nats.micro.service import Endpoint, EndpointConfig, Service, ServiceConfig

from contracts import codec
from contracts.errors import EaselError, ErrorCode
from runtime.messaging.connection import Bus

A = TypeVar("A")
D = TypeVar("D")

_DRAFTS_HEADER = "Easel-Drafts"
"""On a question: send what is written as it comes. On a reply: this is such a piece, not the answer."""
_TRANSIT_S = 1.0
"""What a question and its answer may take on the way, on top of the time for thinking."""

SendDraft = Callable[[msgspec.Struct], Awaitable[None]]


class Address(NamedTuple):
    """Where a question goes."""

    service: str
    name: str


class Question(NamedTuple):
    """One kind of question that a service answers."""

    name: str
    kind: type[msgspec.Struct]
    answer: Callable[[Any, SendDraft | None], Awaitable[msgspec.Struct]]
    """From the question and, where drafts are asked for, a way to send one; the asker is told of its EaselError."""


class _ConcurrentEndpoint(Endpoint):
    """nats-py's waits for one answer before it looks at the next question."""

    _answering: set[asyncio.Task[None]]

    async def _handle_request(self, msg: Msg) -> None:
        task = asyncio.create_task(super()._handle_request(msg))
        self._answering = getattr(self, "_answering", set())
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)


class _ConcurrentService(Service):
    async def add_question(self, config: EndpointConfig) -> None:
        endpoint = _ConcurrentEndpoint(self, config)
        await endpoint._start()  # noqa: SLF001  what Service.add_endpoint does with nats-py's own
        self._endpoints.append(endpoint)


@contextlib.asynccontextmanager
async def answering(
    bus: Bus,
    name: str,
    questions: list[Question],
    *,
    version: str,
    metadata: Mapping[str, str],
    data: Callable[[], Any],
) -> AsyncIterator[None]:
    """Answer while the block runs. `data()` is shown in the endpoints' statistics."""
    config = ServiceConfig(
        name=name,
        version=version,
        description="Easel: see docs/enhancer.md",
        metadata=dict(metadata),
        stats_handler=lambda _: data(),
    )
    service = _ConcurrentService(bus.client, config)
    await service.start()
    for question in questions:
        subject = bus.subjects.endpoint(name, question.name)
        await service.add_question(EndpointConfig(name=question.name, subject=subject, handler=_handler(question)))
    await bus.client.flush()
    try:
        yield
    finally:
        with contextlib.suppress(NatsError, TimeoutError):
            async with asyncio.timeout(5):
                await service.stop()


def _handler(question: Question) -> Callable[[Request], Awaitable[None]]:
    async def handle(request: Request) -> None:
        async def send_draft(draft: msgspec.Struct) -> None:
            await request.respond(codec.encode(draft), headers={_DRAFTS_HEADER: "1"})

        try:
            asked = codec.decode(request.data, question.kind)
            wants_drafts = _DRAFTS_HEADER in (request.headers or {})
            answer = await question.answer(asked, send_draft if wants_drafts else None)
        except codec.SchemaMismatch as fault:
            raise ServiceError(ErrorCode.INVALID_REQUEST.value, str(fault)) from fault
        except EaselError as fault:
            raise ServiceError(fault.code.value, " ".join(fault.message.split())) from fault
        await request.respond(codec.encode(answer))

    return handle


async def ask(bus: Bus, address: Address, question: msgspec.Struct, kind: type[A], *, timeout_s: float) -> A:
    """Put a question to any process of a service; it may think for `timeout_s`.

    Raises:
        EaselError: as the service says; UNAVAILABLE when no process of it is there, or it does not answer in time.
    """
    async for _, answer in _replies(bus, address, question, timeout_s):
        return codec.decode(answer, kind)
    raise AssertionError("replies end with an answer")


async def ask_with_drafts(
    bus: Bus, address: Address, question: msgspec.Struct, kind: type[A], draft: type[D], *, timeout_s: float
) -> AsyncGenerator[D | A, None]:
    """As `ask`, with drafts as they are written ahead of the answer."""
    async for is_draft, data in _replies(bus, address, question, timeout_s, drafts=True):
        yield codec.decode(data, draft) if is_draft else codec.decode(data, kind)


async def _replies(
    bus: Bus, address: Address, question: msgspec.Struct, timeout_s: float, *, drafts: bool = False
) -> AsyncGenerator[tuple[bool, bytes], None]:
    """Each reply with whether it is a draft, the answer last."""
    inbox, headers = bus.client.new_inbox(), {_DRAFTS_HEADER: "1"} if drafts else None
    subscription = await bus.client.subscribe(inbox)
    try:
        async with asyncio.timeout(timeout_s + _TRANSIT_S):
            subject = bus.subjects.endpoint(*address)
            await bus.client.publish(subject, codec.encode(question), reply=inbox, headers=headers)
            while True:
                message = await subscription.next_msg(timeout=timeout_s + _TRANSIT_S)
                _raise_error(message.headers or {})
                is_draft = _DRAFTS_HEADER in (message.headers or {})
                yield is_draft, message.data
                if not is_draft:
                    return
    except NoRespondersError as fault:
        raise EaselError(ErrorCode.UNAVAILABLE, f"no {address.service} is connected", retry_after_s=5) from fault
    except (TimeoutError, NatsError) as fault:
        said = f"the {address.service} did not answer within {timeout_s:g} s"
        raise EaselError(ErrorCode.UNAVAILABLE, said, retry_after_s=5) from fault
    finally:
        with contextlib.suppress(NatsError):
            await subscription.unsubscribe()


def _raise_error(headers: Mapping[str, str]) -> None:
    if headers.get("Status") == "503":
        raise NoRespondersError
    if code := headers.get(ERROR_CODE_HEADER):
        known = code if code in set(ErrorCode) else ErrorCode.INTERNAL
        raise EaselError(ErrorCode(known), headers.get(ERROR_HEADER, "no reason was given"))
