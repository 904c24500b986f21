"""Pictures out of band: stored, fetched, overheard."""

from __future__ import annotations

import asyncio

import pytest

from contracts.errors import EaselError, ErrorCode
from contracts.images import ImageRef
from contracts.jobs import new_job_id
from runtime.messaging.connection import MAX_PAYLOAD, Bus
from runtime.messaging.image_store import ImageStore, parts_of


def ref_for(data: bytes, job_id: str = "") -> ImageRef:
    """A reference that describes `data`."""
    return ImageRef(
        key=f"{job_id or new_job_id()}.1.0",
        index=0,
        seed=7,
        width=8,
        height=8,
        content_type="image/png",
        size=len(data),
        parts=parts_of(len(data)),
    )


@pytest.mark.parametrize("size", [1, MAX_PAYLOAD, MAX_PAYLOAD + 1])
async def test_what_was_stored_is_fetched(bus: Bus, size: int) -> None:
    """In one part or several."""
    data = bytes(range(256)) * (size // 256 + 1)
    store, ref = ImageStore(bus), ref_for(data[:size])
    await store.put("w", ref, data[:size])
    assert await store.get(ref) == data[:size]


async def test_a_waiting_client_overhears_the_picture_and_needs_no_second_journey(bus: Bus) -> None:
    """It has the bytes as soon as they were stored: even a picture that is gone at once."""
    store, job_id = ImageStore(bus), new_job_id()
    ref = ref_for(b"picture", job_id)
    async with store.overhearing(job_id) as heard:
        await store.put("w", ref, b"picture")
        await bus.api(f"STREAM.PURGE.{bus.subjects.images_stream}")
        assert await asyncio.wait_for(heard.get_all([ref]), 5) == [b"picture"]


async def test_what_was_not_overheard_is_fetched(bus: Bus) -> None:
    """A gateway that listened too late loses time, not the picture."""
    store, job_id = ImageStore(bus), new_job_id()
    ref = ref_for(b"picture", job_id)
    await store.put("w", ref, b"picture")
    async with store.overhearing(job_id) as heard:
        assert await heard.get_all([ref]) == [b"picture"]


async def test_a_picture_whose_time_has_passed_says_how_to_draw_it_again(bus: Bus) -> None:
    """With its seed."""
    with pytest.raises(EaselError, match="seed 7") as caught:
        await ImageStore(bus).get(ref_for(b"gone"))
    assert caught.value.code is ErrorCode.NOT_FOUND
