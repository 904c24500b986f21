"""Pictures out of band: stored, fetched, overheard."""

from __future__ import annotations

import asyncio

import pytest

from contracts.errors import EaselError, ErrorCode
from contracts.images import ImageRef
from contracts.jobs import new_job_id
from runtime.messaging.connection import MAX_PAYLOAD, Bus
from runtime.messaging.image_store import ImageStore, Kept
from tests.support.eventually import eventually


def ref_for(kept: Kept, job_id: str) -> ImageRef:
    """A reference to what was stored by `put`."""
    return ImageRef(
        key=f"{job_id}.1.0",
        index=0,
        seed=7,
        width=8,
        height=8,
        content_type="image/png",
        size=kept.size,
        parts=kept.parts,
    )


async def put(store: ImageStore, data: bytes, job_id: str) -> ImageRef:
    """Store a picture all of which is there."""
    picture = asyncio.StreamReader()
    picture.feed_data(data)
    picture.feed_eof()
    return ref_for(await store.put("w", f"{job_id}.1.0", picture), job_id)


@pytest.mark.parametrize(("size", "parts"), [(1, 1), (MAX_PAYLOAD, 1), (MAX_PAYLOAD + 1, 2)])
async def test_what_was_stored_is_fetched(bus: Bus, size: int, parts: int) -> None:
    """In one part, if it is there at once and a message holds it."""
    data = bytes(range(256)) * (size // 256 + 1)
    store = ImageStore(bus)
    ref = await put(store, data[:size], new_job_id())
    assert ref.parts == parts
    assert await store.get(ref) == data[:size]


async def test_a_picture_is_stored_while_the_rest_of_it_is_encoded(bus: Bus) -> None:
    """What has come is with whoever waits before there is more."""
    store, job_id, picture = ImageStore(bus), new_job_id(), asyncio.StreamReader()
    async with store.overhearing(job_id) as heard:
        storing = asyncio.create_task(store.put("w", f"{job_id}.1.0", picture))
        picture.feed_data(b"first ")

        async def there() -> bool:
            return (
                await bus.last(bus.subjects.images_stream, bus.subjects.stored_image_part(f"{job_id}.1.0", 0))
                == b"first "
            )

        await eventually(there)
        picture.feed_data(b"rest")
        picture.feed_eof()
        kept = await storing
        assert kept == Kept(10, 2)
        assert await heard.get_all([ref_for(kept, job_id)]) == [b"first rest"]


async def test_a_waiting_client_overhears_the_picture_and_needs_no_second_journey(bus: Bus) -> None:
    """It has the bytes as soon as they were stored: even a picture that is gone at once."""
    store, job_id = ImageStore(bus), new_job_id()
    async with store.overhearing(job_id) as heard:
        ref = await put(store, b"picture", job_id)
        await bus.api(f"STREAM.PURGE.{bus.subjects.images_stream}")
        assert await asyncio.wait_for(heard.get_all([ref]), 5) == [b"picture"]


async def test_what_was_not_overheard_is_fetched(bus: Bus) -> None:
    """A gateway that listened too late loses time, not the picture."""
    store, job_id = ImageStore(bus), new_job_id()
    ref = await put(store, b"picture", job_id)
    async with store.overhearing(job_id) as heard:
        assert await heard.get_all([ref]) == [b"picture"]


async def test_a_picture_whose_time_has_passed_says_how_to_draw_it_again(bus: Bus) -> None:
    """With its seed."""
    with pytest.raises(EaselError, match="seed 7") as caught:
        await ImageStore(bus).get(ref_for(Kept(4, 1), new_job_id()))
    assert caught.value.code is ErrorCode.NOT_FOUND
