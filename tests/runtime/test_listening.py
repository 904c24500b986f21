"""Listening on the bus for as long as a block runs."""

from __future__ import annotations

from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from runtime.messaging.connection import Bus
from tests.support.eventually import eventually


async def test_who_listens_hears_all_in_order_and_the_server_soon_forgets_them_after_the_block(bus: Bus) -> None:
    subject, heard = bus.subjects.cancel("pocket", "a-job"), list[bytes]()

    async def receive(message: Msg) -> None:
        heard.append(message.data)

    async def all_heard() -> bool:
        return len(heard) == 3

    async def forgotten() -> bool:
        try:
            await bus.client.request(subject, b"", timeout=0.5)
        except NoRespondersError:
            return True
        except NatsTimeoutError:
            return False
        raise AssertionError("somebody answered")

    async with bus.listening(subject, receive):
        for word in (b"one", b"two", b"three"):
            await bus.publish(subject, word)
        await eventually(all_heard)
        assert not await forgotten()
    assert heard[:3] == [b"one", b"two", b"three"]
    assert await eventually(forgotten)
