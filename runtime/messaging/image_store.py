"""Pictures out of band: bytes in a stream, split where one message would be too large, fetched by Direct Get.

nats-py's object store is twice as slow and hangs for ever on a picture whose chunks have expired.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import msgspec
from nats.aio.msg import Msg

from contracts.errors import EaselError, ErrorCode
from contracts.images import ImageRef, InputImage
from contracts.jobs import Job
from runtime.messaging.connection import MAX_PAYLOAD, Bus

MAX_OVERHEARD = 64 << 20
"""Bytes of one job's pictures that a waiting gateway holds."""


class Kept(NamedTuple):
    """What a stored picture takes."""

    size: int
    """Bytes."""
    parts: int
    """Messages."""


class ImageStore:
    """Encoded pictures by `ImageRef.key`, gone after the bus's `image_ttl_s`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def put(self, author: str, key: str, picture: asyncio.StreamReader) -> Kept:
        """Store a picture under `ImageRef.key` while its bytes come; durable on return.

        Raises:
            EaselError: UNAVAILABLE.
        """
        size = count = 0
        while part := await picture.read(MAX_PAYLOAD):
            await self._put_part(author, key, count, part)
            size, count = size + len(part), count + 1
        return Kept(size, count)

    async def put_thumbnail(self, author: str, ref: ImageRef, data: bytes) -> None:
        """Store the thumbnail of `ref`, which fits into one message; durable on return.

        Raises:
            EaselError: UNAVAILABLE.
        """
        await self._put(author, ref.thumbnail_key, data)

    async def put_input(self, author: str, job: Job, index: int, data: bytes) -> InputImage:
        """Store a picture that a job is to start from, before the job is submitted; durable on return.

        It is kept under the job's pool, because a device's credentials let it read those of its own pool only.

        Raises:
            EaselError: UNAVAILABLE.
        """
        key = f"{job.id}.{_shelf(job)}.{index}"
        return InputImage(key=key, size=len(data), parts=await self._put(author, key, data))

    async def bring_inputs(self, author: str, job: Job) -> Job:
        """The job with its pictures to start from where its pool finds them: for one that changes its pool.

        Raises:
            EaselError: NOT_FOUND when their time to live has passed, UNAVAILABLE.
        """
        brought = {}
        for index, name in enumerate(("init_image", "mask_image")):
            kept: InputImage | None = getattr(job.request, name)
            if kept is not None and kept.key.split(".")[1] != _shelf(job):
                brought[name] = await self.put_input(author, job, index, await self.get_input(kept))
        if not brought:
            return job
        return job.with_request(msgspec.structs.replace(job.request, **brought))

    async def get(self, ref: ImageRef) -> bytes:
        """The bytes of a picture.

        Raises:
            EaselError: NOT_FOUND when its time to live has passed, UNAVAILABLE when the bus is away.
        """
        data = await self._get(ref.key, ref.parts)
        if data is None:
            message = f"picture {ref.index} of this job is no longer kept; draw it again with seed {ref.seed}"
            raise EaselError(ErrorCode.NOT_FOUND, message)
        return data

    async def get_thumbnail(self, ref: ImageRef) -> bytes | None:
        """The thumbnail of a picture; None when there is none, or not yet: it is stored after the picture.

        Raises:
            EaselError: UNAVAILABLE when the bus is away.
        """
        return await self._get(ref.thumbnail_key, 1)

    async def get_input(self, kept: InputImage) -> bytes:
        """The bytes of a picture to start from.

        Raises:
            EaselError: NOT_FOUND when its time to live has passed, UNAVAILABLE when the bus is away.
        """
        data = await self._get(kept.key, kept.parts)
        if data is None:
            message = "the picture to start from is no longer kept; send it again"
            raise EaselError(ErrorCode.NOT_FOUND, message, param="init_image")
        return data

    async def _put(self, author: str, key: str, data: bytes) -> int:
        """Returns how many messages that took."""
        starts = range(0, len(data), MAX_PAYLOAD)
        for part, start in enumerate(starts):
            await self._put_part(author, key, part, data[start : start + MAX_PAYLOAD])
        return len(starts)

    async def _put_part(self, author: str, key: str, part: int, data: bytes) -> None:
        await self._bus.store(self._bus.subjects.image_part(author, key, part), data, message_id=f"{key}.{part}")

    async def _get(self, key: str, count: int) -> bytes | None:
        subjects, stream = self._bus.subjects, self._bus.subjects.images_stream
        names = [subjects.stored_image_part(key, part) for part in range(count)]
        parts = await asyncio.gather(*(self._bus.last(stream, name) for name in names))
        return None if any(part is None for part in parts) else b"".join(part for part in parts if part is not None)

    @contextlib.asynccontextmanager
    async def overhearing(self, job_id: str) -> AsyncIterator[OverheardImages]:
        """Receive a job's pictures while workers store them, so that a waiting client needs no second journey.

        What is overheard is not yet durable; it is when the job's outcome names it.
        """
        heard = OverheardImages(self)
        async with self._bus.listening(self._bus.subjects.image_parts(job_id), heard.receive):
            yield heard


class OverheardImages:
    """The pictures of one job, as far as they were overheard; the rest are fetched."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store
        self._parts: dict[str, bytes] = {}
        self._size = 0

    async def receive(self, message: Msg) -> None:
        """Keep one part; beyond `MAX_OVERHEARD` bytes parts are passed over."""
        self._size += len(message.data)
        if self._size <= MAX_OVERHEARD:
            self._parts[message.subject.split(".", 3)[3]] = message.data

    async def get_all(self, refs: Sequence[ImageRef]) -> list[bytes]:
        """As `ImageStore.get` of each."""
        found = {ref.key: self._found(ref) for ref in refs}
        missing = [ref for ref in refs if len(found[ref.key]) != ref.size]
        if missing:
            fetched = await asyncio.gather(*map(self._store.get, missing))
            found.update(zip((ref.key for ref in missing), fetched, strict=True))
        return [found[ref.key] for ref in refs]

    def _found(self, ref: ImageRef) -> bytes:
        parts = [self._parts.get(f"{ref.key}.{part}", b"") for part in range(ref.parts)]
        return parts[0] if ref.parts == 1 else b"".join(parts)


def _shelf(job: Job) -> str:
    """Where the pictures that a job starts from are kept: the word between the job and the index in their keys."""
    return f"in-{job.next_pool or job.pool}"
