"""One connection to NATS, with nats-py's defaults put right and JetStream's raw API where nats-py has no words for it.

BusError               JetStream refused; carries its error code (ADR-1, ADR-7)
EaselError UNAVAILABLE the bus did not answer within the time allowed
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import ConnectionClosedError, NoRespondersError, OutboundBufferLimitError, UnexpectedEOF
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError

from contracts.errors import EaselError, ErrorCode
from contracts.subjects import Subjects, subject_token
from runtime.messaging import transport
from runtime.messaging.metrics import sending
from runtime.messaging.settings import BusSettings
from runtime.process.waiting import answer_passed, keep_cancellations

log = structlog.get_logger()

T = TypeVar("T")

NANOSECONDS = 1_000_000_000
MAX_PAYLOAD = 7 << 20
"""Largest message body in bytes; below the server's 8 MiB, because a body whose headers tip it over the limit makes the
server close the connection for good."""

PATIENCE_S = 5.0
"""How long a question is repeated while nobody answers it."""
STORE_PATIENCE_S = 10.0
"""The same of what is to be stored: longer than an election."""

_OPTIONS: dict[str, Any] = {
    "max_reconnect_attempts": -1,
    "reconnect_time_wait": 0.25,
    "connect_timeout": 5,
    "ping_interval": 10,
    "max_outstanding_pings": 2,
    "pending_size": 32 << 20,
    "drain_timeout": 10,
}
"""nats-py's, in seconds and bytes."""
_AWAY = (NoRespondersError, NatsTimeoutError, TimeoutError, OutboundBufferLimitError, ConnectionClosedError)
_TRANSIENT_CODES = {10008, 10023, 10047, 10126, 10158}
"""Temporary JetStream conditions: no leader, resources, storage, copies being added, duplicate still in process."""
STORE_FAILED = 10077
"""A limit of the stream was reached; its text says which."""
_VAGUE = (ConnectionError, UnexpectedEOF)
"""Complaints that follow from others."""
_TRY_S = 2.0
"""For one answer of few bytes: it may be lost with the server that was about to give it."""
_PAUSE_S = 0.25
"""Between two tries at most: a new leader is found that much later. Whole pictures are sent again less often."""
_LARGE = 1 << 16
_LEADER_TIMEOUT_S = 1.0
_LAG_S = 0.1
"""What a copy is behind its leader at most, unless it was away."""


class BusError(Exception):
    """JetStream answered with an error."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{description} ({code})")
        self.code = code
        self.description = description


class Stored(msgspec.Struct, frozen=True):
    """A message of a stream."""

    sequence: int
    subject: str
    data: bytes


class Bus:
    """A connected process's way to the bus. Reconnects for ever; `connected` says whether it is there now."""

    def __init__(self, client: Client, settings: BusSettings) -> None:
        self.client = client
        self.settings = settings
        self.subjects = Subjects(settings.namespace)
        self._at_reconnect: list[Callable[[], None]] = []
        self._leaving: set[asyncio.Task[None]] = set()
        self.closed = asyncio.Event()
        """Given up for good: the server refused something fundamental. The process must end."""
        self._complaint: Exception | None = None
        """The last that told something."""

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, settings: BusSettings, name: str, timeout_s: float = 30.0, *, inbox: str = ""
    ) -> AsyncIterator[Bus]:
        """Connect as `name`, which also makes the private inbox prefix that credentials can be limited to.

        `inbox` stands for the name in that prefix where credentials outlive the name.

        Raises:
            EaselError: UNAVAILABLE when no server answers in `timeout_s`, with the server's last complaint.
        """
        transport.install()
        keep_cancellations()
        bus = cls(Client(), settings)
        identity = _identity(settings)
        try:
            async with asyncio.timeout(timeout_s):
                await bus.client.connect(
                    settings.url.split(","),
                    name=name,
                    inbox_prefix=f"_INBOX_{subject_token(inbox or settings.user or name)}".encode(),
                    error_cb=bus._on_error,
                    reconnected_cb=bus._on_reconnect,
                    closed_cb=bus._on_close,
                    **_OPTIONS,
                    **identity,
                )
        except (TimeoutError, NatsError, OSError) as fault:
            raise bus._unreachable() from fault
        try:
            yield bus
        finally:
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                async with asyncio.timeout(5):
                    await bus.client.close()

    async def _on_error(self, fault: Exception) -> None:
        self._complaint = fault if self._complaint is None or not isinstance(fault, _VAGUE) else self._complaint
        log.warning("bus complains", fault=_words(fault))

    async def _on_reconnect(self) -> None:
        log.info("bus reconnected")
        for call in list(self._at_reconnect):
            call()

    async def _on_close(self) -> None:
        self.closed.set()

    def _unreachable(self) -> EaselError:
        said = f": {_words(self._complaint)}" if self._complaint else ""
        message = f"no NATS server answers at {self.settings.url}{said}; start one, or set EASEL_NATS_URL"
        return EaselError(ErrorCode.UNAVAILABLE, message)

    @property
    def connected(self) -> bool:
        return self.client.is_connected

    @contextlib.contextmanager
    def at_reconnect(self, call: Callable[[], None]) -> Iterator[None]:
        """Call it after every reconnect while the block runs: messages may have been missed."""
        self._at_reconnect.append(call)
        try:
            yield
        finally:
            self._at_reconnect.remove(call)

    async def publish(self, subject: str, data: bytes, headers: dict[str, str] | None = None, reply: str = "") -> None:
        """Send without waiting; while the bus is away up to 32 MiB are kept and sent later."""
        with contextlib.suppress(OutboundBufferLimitError, ConnectionClosedError):
            await self.client.publish(subject, data, reply=reply, headers=headers)

    async def subscribe(self, subject: str, receive: Callable[[Msg], Awaitable[None]]) -> Subscription:
        """Call `receive` for each message, one at a time and in order."""
        return await self.client.subscribe(subject, cb=receive)

    @contextlib.asynccontextmanager
    async def listening(self, subject: str, receive: Callable[[Msg], Awaitable[None]]) -> AsyncIterator[None]:
        """Call `receive` for each message while the block runs, and a moment longer: nobody waits until that ends."""
        subscription = await self.subscribe(subject, receive)
        try:
            yield
        finally:
            leaving = asyncio.create_task(self._leave(subscription))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def _leave(self, subscription: Subscription) -> None:
        await answer_passed()
        if self.connected:
            with contextlib.suppress(NatsError):
                await subscription.unsubscribe()

    async def store(
        self,
        subject: str,
        data: bytes,
        *,
        message_id: str,
        headers: dict[str, str] | None = None,
        patience_s: float = STORE_PATIENCE_S,
    ) -> bool:
        """Store one message durably, at most once for each `message_id`, retrying while the bus is away.

        Returns:
            True when it is stored (now, or by an earlier try with the same id); False when another message already
            holds the subject in a stream that keeps one for each subject.

        Raises:
            BusError: the stream refused it; code `STORE_FAILED` when it is full.
            EaselError: UNAVAILABLE after `patience_s` seconds.
        """

        async def publish() -> bool:
            fresh = {**(headers or {}), "Nats-Msg-Id": message_id}  # nats-py adds to the dictionary that it is given
            answer = await self._request(subject, data, headers=fresh, timeout_s=min(patience_s, _TRY_S))
            if "error" not in answer:
                return True
            fault = BusError(answer["error"].get("err_code", 0), answer["error"].get("description", ""))
            if fault.code == STORE_FAILED and "per subject" in fault.description:
                return False
            raise fault

        with sending(subject):
            return await _patiently(publish, patience_s, _PAUSE_S if len(data) < _LARGE else 1.0)

    async def api(self, verb: str, body: dict[str, Any] | None = None, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """Call JetStream's API, repeating while it is away: `verb` is the subject after `$JS.API.`, and idempotent.

        Raises:
            BusError: JetStream refused.
            EaselError: UNAVAILABLE when nobody answers.
        """
        data = json.dumps(body).encode() if body is not None else b""

        async def ask() -> dict[str, Any]:
            answer = await self._request(f"$JS.API.{verb}", data, timeout_s=min(timeout_s, PATIENCE_S))
            if "error" in answer:
                raise BusError(answer["error"].get("err_code", 0), answer["error"].get("description", ""))
            return answer

        return await _patiently(ask, timeout_s)

    async def last(self, stream: str, subject: str) -> bytes | None:
        """The newest message of a subject, by Direct Get (ADR-31), or None.

        Any copy answers, an older one too; so that there is none is asked of the leader (`_leader_knows`), or once more
        by those who may not ask it.

        Raises:
            EaselError: UNAVAILABLE.
        """

        async def ask() -> bytes | None:
            message = await self.client.request(f"$JS.API.DIRECT.GET.{stream}.{subject}", b"", timeout=PATIENCE_S)
            return None if (message.headers or {}).get("Status") else message.data

        found = await _patiently(ask, PATIENCE_S)
        if found is None and await self._may_be_late():
            return await _patiently(ask, PATIENCE_S)
        if found is None and (late := await self._leader_knows(stream, last_by_subj=subject)):
            return late.data
        return found

    async def read(self, stream: str, **selection: Any) -> list[Stored]:
        """Messages of a stream in order, by batched Direct Get (ADR-31); `selection` is its request body.

        Leaves no consumer behind. A subject filter that matches nothing gives an empty list. As with `last`, any
        copy answers, and the leader is asked before there is said to be nothing.

        Raises:
            BusError: JetStream refused.
            EaselError: UNAVAILABLE.
        """
        found = await _patiently(lambda: self._read(stream, selection), PATIENCE_S)
        if not found and "next_by_subj" in selection and await self._may_be_late():
            return await _patiently(lambda: self._read(stream, selection), PATIENCE_S)
        if not found and "next_by_subj" in selection:
            late = await self._leader_knows(stream, seq=selection["seq"], next_by_subj=selection["next_by_subj"])
            return [late] if late else []
        return found

    async def _may_be_late(self) -> bool:
        """Give a copy the time to catch up that those who may not ask the leader have to give it."""
        if self.settings.replicas == 1 or self.settings.declares:
            return False
        await asyncio.sleep(_LAG_S)
        return True

    async def _leader_knows(self, stream: str, **selection: Any) -> Stored | None:
        """What a copy may not have yet. None where there is one copy, and while there is no leader to ask."""
        if self.settings.replicas == 1 or not self.settings.declares:
            return None
        body = json.dumps(selection).encode()
        try:
            answer = await self._request(f"$JS.API.STREAM.MSG.GET.{stream}", body, timeout_s=_LEADER_TIMEOUT_S)
        except _AWAY:
            return None
        if "error" in answer:
            return None
        message = answer["message"]
        return Stored(message["seq"], message["subject"], base64.b64decode(message.get("data", "")))

    async def _read(self, stream: str, selection: dict[str, Any]) -> list[Stored]:
        inbox = self.client.new_inbox()
        subscription = await self.client.subscribe(inbox)
        found: list[Stored] = []
        try:
            request = json.dumps({"batch": 1024, **selection}).encode()
            await self.client.publish(f"$JS.API.DIRECT.GET.{stream}", request, reply=inbox)
            while True:
                message = await subscription.next_msg(timeout=_TRY_S)
                headers = message.headers or {}
                if headers.get("Status") in ("204", "404"):
                    return found
                if headers.get("Status") == "503":
                    raise NoRespondersError
                if status := headers.get("Status"):
                    raise BusError(int(status), headers.get("Description", ""))
                found.append(Stored(int(headers["Nats-Sequence"]), headers["Nats-Subject"], message.data))
        finally:
            with contextlib.suppress(NatsError):
                await subscription.unsubscribe()

    async def _request(
        self, subject: str, data: bytes, *, timeout_s: float, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        message = await self.client.request(subject, data, timeout=timeout_s, headers=headers)
        if (message.headers or {}).get("Status") == "503":
            raise NoRespondersError
        answer: dict[str, Any] = json.loads(message.data)
        return answer


def _words(fault: Exception) -> str:
    return str(fault) or type(fault).__name__


def _identity(settings: BusSettings) -> dict[str, Any]:
    """Who we are and whom we trust, as nats-py's options.

    Raises:
        EaselError: UNAVAILABLE, a file cannot be read.
    """
    options: dict[str, Any] = {}
    try:
        if settings.credentials:
            options["user_credentials"] = str(Path(settings.credentials).resolve(strict=True))
        if settings.nkey:
            options["nkeys_seed_str"] = Path(settings.nkey).read_text(encoding="ascii").strip()
        if settings.ca or settings.certificate:
            options["tls"] = ssl.create_default_context(cafile=settings.ca or None)
        if settings.certificate:
            options["tls"].load_cert_chain(settings.certificate, settings.certificate_key)
    except (OSError, ValueError) as fault:
        raise EaselError(ErrorCode.UNAVAILABLE, f"cannot read who we are on the bus: {fault}") from fault
    return options


async def _patiently(ask: Callable[[], Awaitable[T]], patience_s: float, pause_s: float = _PAUSE_S) -> T:
    """Repeat a question while JetStream is starting, electing or out of reach.

    Raises:
        BusError: it refused for good.
        EaselError: UNAVAILABLE after `patience_s`.
    """
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + patience_s, 0.05
    while True:
        try:
            return await ask()
        except _AWAY:
            pass
        except BusError as fault:
            if fault.code not in _TRANSIENT_CODES:
                raise
        if loop.time() + pause > deadline:
            raise unavailable(patience_s)
        await asyncio.sleep(pause)
        pause = min(pause * 2, pause_s)


def unavailable(waited_s: float) -> EaselError:
    """That nobody answered for so long."""
    message = f"the message bus did not answer within {waited_s:g} s; the request may be repeated"
    return EaselError(ErrorCode.UNAVAILABLE, message, retry_after_s=2)
