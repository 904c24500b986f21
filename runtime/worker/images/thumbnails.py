"""Small forms of pictures for galleries, made after their job has ended: no client waits for them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from concurrent.futures import Executor
from typing import NamedTuple

import structlog
from PIL import Image

from contracts.errors import EaselError
from contracts.images import GenerateImage, ImageRef
from contracts.jobs import Job
from runtime.messaging.connection import BusError
from runtime.messaging.image_store import ImageStore
from runtime.worker.images.output import Output

log = structlog.get_logger()


class _Noted(NamedTuple):
    ref: ImageRef
    image: Image.Image
    request: GenerateImage


class Thumbnails:
    """One for each handler. Belongs to the event loop; `encoders` do the work."""

    def __init__(self, store: ImageStore, worker: str, output: Output, encoders: Executor) -> None:
        self._store = store
        self._worker = worker
        self._output = output
        self._encoders = encoders
        self._noted: dict[str, list[_Noted]] = defaultdict(list)
        self._making: set[asyncio.Task[None]] = set()

    def note(self, job: Job, ref: ImageRef, image: Image.Image) -> None:
        """Keep a picture of a job until its thumbnail is made, if it gets one."""
        if ref.has_thumbnail:
            self._noted[job.id].append(_Noted(ref, image, job.request))

    def make(self, job_id: str) -> None:
        """Make and store those of one job, in the background."""
        noted = self._noted.pop(job_id, None)
        if noted:
            making = asyncio.create_task(self._make(noted))
            self._making.add(making)
            making.add_done_callback(self._making.discard)

    async def _make(self, noted: list[_Noted]) -> None:
        """Without one the picture itself is shown, so a failure costs bytes and no job."""
        loop = asyncio.get_running_loop()
        for ref, image, request in noted:
            try:
                data = await loop.run_in_executor(self._encoders, self._output.thumbnail, image, request)
                await self._store.put_thumbnail(self._worker, ref, data)
            except (EaselError, BusError) as fault:
                log.warning("a thumbnail was not stored", key=ref.key, fault=str(fault))

    async def close(self, timeout_s: float) -> None:
        """Wait for those on their way, not for ever."""
        if self._making:
            await asyncio.wait(self._making, timeout=timeout_s)
