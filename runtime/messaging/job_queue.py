"""The taking side of the bus: one delivery at a time, asked for only when the caller can work on it.

nats-py's `fetch` forgets its request when the server restarts and then sits out its whole timeout; here a reconnect or
missing heartbeats renew the request at once (ADR-37 describes the status messages).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from runtime.messaging.connection import NANOSECONDS, Bus
from runtime.messaging.metrics import template_of
from runtime.process.telemetry import TRACEPARENT
from runtime.process.waiting import until

log = structlog.get_logger()

PRIORITY_GROUP = "workers"
"""Of a pool's consumer; the one that there is."""
_EXPIRES_S = 30.0
_HEARTBEAT_S = 5.0
_REFUSED_PAUSE_S = 1.0
_UNDECLARED_PAUSE_S = 0.25
_NO_RESPONDERS = "503"
"""No gateway has declared the queue yet, or its leader is being elected."""
_NOTHING_CAME = ("404", "408")


class Delivery:
    """One job in this process's hands. It ends with exactly one of `ack`, `nak` and `term`."""

    def __init__(self, message: Msg) -> None:
        self._message = message
        self.data: bytes = message.data
        self.attempt: int = message.metadata.num_delivered
        """1 for the first delivery of this job."""
        self.job_id = message.subject.rsplit(".", 1)[1]
        self.template = template_of(message.subject)
        self.traceparent: str = (message.headers or {}).get(TRACEPARENT, "")
        """Trace context of whoever queued it; empty where nobody traces."""

    async def ack(self) -> None:
        """Done: remove the job. Waits until the server knows; a lost ack only costs a redelivery."""
        with contextlib.suppress(NatsError, JetStreamError, TimeoutError):
            await self._message.ack_sync(timeout=2)

    async def nak(self, delay_s: float = 0.0) -> None:
        """Hand it back, to be delivered again after `delay_s`."""
        with contextlib.suppress(NatsError, JetStreamError):
            await self._message.nak(delay=delay_s or None)

    async def in_progress(self) -> None:
        """Still working: start the server's ack-wait anew."""
        with contextlib.suppress(NatsError, JetStreamError):
            await self._message.in_progress()


class JobQueue:
    """Pulls from one durable consumer until `stop`. Not re-entrant: one caller at a time.

    `priority` for the consumers of pools, which serve the lowest number first (ADR-42); None for others.
    """

    def __init__(self, bus: Bus, stream: str, consumer: str, stop: asyncio.Event, priority: int | None = None) -> None:
        self._bus = bus
        self._group = {} if priority is None else {"group": PRIORITY_GROUP, "priority": priority}
        self._request_subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._inbox = bus.client.new_inbox()
        self._arrived: asyncio.Queue[Msg | None] = asyncio.Queue()
        """None: look whether to stop, and ask again."""
        self._stop = stop
        self._pulls = 0
        self._wanted = False
        """Whether `next` waits. A renewed request may leave the old one alive, and a job come that nobody asked for."""

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[JobQueue]:
        """Listen for deliveries; on the way out, whatever arrived unasked for goes back."""
        subscription = await self._bus.subscribe(f"{self._inbox}.*", self._receive)
        stopping = asyncio.create_task(self._look_up_at_stop())
        try:
            with self._bus.at_reconnect(self._look_up):
                yield self
        finally:
            stopping.cancel()
            with contextlib.suppress(NatsError, TimeoutError):
                # Draining unsubscribes first, so that the server gives the open request to nobody, then lets in what
                # was already on its way.
                async with asyncio.timeout(5):
                    await subscription.drain()  # type: ignore[no-untyped-call]
            await self._hand_back_rest()

    def _look_up(self) -> None:
        self._arrived.put_nowait(None)

    async def _look_up_at_stop(self) -> None:
        await self._stop.wait()
        self._look_up()

    async def _receive(self, message: Msg) -> None:
        self._arrived.put_nowait(message)
        if not self._wanted:
            await self._hand_back_rest()

    async def _hand_back_rest(self) -> None:
        """What arrived and is not wanted: another worker may be free."""
        while not self._arrived.empty():
            message = self._arrived.get_nowait()
            if message is not None and not (message.headers or {}).get("Status"):
                await Delivery(message).nak()

    async def next(self) -> Delivery | None:
        """Wait for one delivery; None once it is time to stop."""
        self._wanted = True
        try:
            while not self._stop.is_set():
                await self._request_one()
                message = await self._answer()
                if message is not None:
                    return Delivery(message)
            return None
        finally:
            self._wanted = False
            await self._hand_back_rest()

    async def _request_one(self) -> None:
        self._pulls += 1
        request = {
            "batch": 1,
            "expires": int(_EXPIRES_S * NANOSECONDS),
            "idle_heartbeat": int(_HEARTBEAT_S * NANOSECONDS),
            **self._group,
        }
        await self._bus.publish(
            self._request_subject, json.dumps(request).encode(), reply=f"{self._inbox}.{self._pulls}"
        )

    async def _answer(self) -> Msg | None:
        """The delivery that answers the newest request; None when that request is dead or the caller stops."""
        while True:
            message = await self._arrival()
            if message is None:
                return None
            headers = message.headers or {}
            status = headers.get("Status")
            if status is None:
                return message  # even if an older request asked for it: it is ours now
            if message.subject != f"{self._inbox}.{self._pulls}" or status == "100":
                continue
            if status == _NO_RESPONDERS:
                await until(self._stop, _UNDECLARED_PAUSE_S)
            elif status not in _NOTHING_CAME:
                log.warning("pull refused", status=status, reason=headers.get("Description", ""))
                await until(self._stop, _REFUSED_PAUSE_S)
            return None

    async def _arrival(self) -> Msg | None:
        """The next message of any kind; None when it is time to stop, after a reconnect or two missed heartbeats."""
        try:
            async with asyncio.timeout(2 * _HEARTBEAT_S + 1):
                return await self._arrived.get()
        except TimeoutError:
            return None
