"""Jobs that draw: engine in its thread, then encoding and storing beside the next job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import msgspec
from PIL import Image

from contracts.capability import check
from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage, ImageRef, InputImage, Lora, ModelInfo
from contracts.jobs import Job
from contracts.preparation import Preparation, Prepared
from runtime.messaging.connection import Bus
from runtime.messaging.image_store import ImageStore
from runtime.messaging.preparation import OnStage
from runtime.worker.handler import NotThisWorker, OnStep
from runtime.worker.images.encoder_file import EncoderFile
from runtime.worker.images.engine import NO_INPUTS, BatchingEngine, ImageEngine, Inputs, OnImageStep
from runtime.worker.images.engine_thread import EngineThread
from runtime.worker.images.idle_unload import IdleUnload
from runtime.worker.images.inputs import decode_image, decode_mask
from runtime.worker.images.output import PLAIN, Output
from runtime.worker.images.preparation import prepare_engine
from runtime.worker.images.previews import with_previews
from runtime.worker.images.thumbnails import Thumbnails
from runtime.worker.images.turns import Turns
from runtime.worker.metrics import LOAD

MOST_AT_ONCE = 64
"""Requests in one engine; it says itself how many it wants."""
CLOSE_S = 5.0
"""Seconds to wait for an engine that is still busy when the worker ends."""
ENCODERS = 2
"""Threads that encode: enough to keep up with an engine, few enough to leave it the cores."""


def _group(request: GenerateImage) -> tuple[str, tuple[Lora, ...]]:
    """Equal for requests whose steps can be one."""
    return request.model, tuple(sorted(request.loras))


class Encoding(NamedTuple):
    """A picture on its way to bytes."""

    image: Image.Image
    file: EncoderFile


class Drawn(msgspec.Struct, frozen=True):
    """The pictures of a job, on their way to bytes and looked at meanwhile."""

    encodings: list[Encoding]
    allowed: Future[None] | None
    """None where nobody has to look."""


class ImageHandler:
    """Satisfies `runtime.worker.handler.Handler[Drawn]` with any engine.

    `preload` are brought into memory before the worker announces itself, the first model if nothing is said; all leave
    it after `idle_unload_s` seconds without a picture (0 for never).
    """

    def __init__(
        self,
        engine: ImageEngine,
        bus: Bus,
        worker: str,
        *,
        preload: Sequence[str] | None = None,
        output: Output = PLAIN,
        idle_unload_s: float = 0.0,
    ) -> None:
        self._engine = engine
        self._batching = engine if isinstance(engine, BatchingEngine) else None
        self._thread = EngineThread(MOST_AT_ONCE if self._batching else 1)
        self._turns = Turns()
        self._encoders = ThreadPoolExecutor(ENCODERS, thread_name_prefix="encoder")
        self._store = ImageStore(bus)
        self._worker = worker
        self._preload = [model.id for model in engine.models[:1]] if preload is None else preload
        self._output = output
        self._thumbnails = Thumbnails(self._store, worker, output, self._encoders)
        self._idle = IdleUnload(engine, self._alone, idle_unload_s)

    @property
    def models(self) -> tuple[ModelInfo, ...]:
        return self._engine.models

    @property
    def device(self) -> str:
        return self._engine.device

    @property
    def loaded(self) -> tuple[str, ...]:
        return self._engine.loaded

    @property
    def slots(self) -> int:
        return self._batching.slots if self._batching else 1

    async def start(self) -> None:
        with self._idle.busy():
            for model in self._preload:
                await self._alone(self._load, model)

    async def _alone(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call the engine while it draws nothing."""
        async with self._turns.take():
            await self._thread.call(function, *arguments)

    def _load(self, model: str) -> None:
        """In the engine's thread."""
        if model not in self._engine.loaded:
            with LOAD.labels(model, self._engine.device).time():
                self._engine.load(model)

    async def prepare(self, wanted: Preparation, on_stage: OnStage) -> Prepared:
        """Between two pictures: load or unload a model, change the device.

        Raises:
            EaselError: MODEL_NOT_FOUND, ENGINE_FAILED; UNSUPPORTED where the engine cannot do it at all.
        """
        with self._idle.busy():
            await self._alone(prepare_engine, self._engine, wanted, on_stage)
        return Prepared(device=self.device, loaded=self.loaded)

    async def compute(self, job: Job, on_step: OnStep) -> Drawn:
        request = self._checked(job.request)
        inputs = await self._inputs(request)
        with self._idle.busy():
            async with self._turns.take(_group(request), lambda: self._share(request)):
                return await self._thread.call(self._draw, request, on_step, inputs, asyncio.get_running_loop())

    def _share(self, request: GenerateImage) -> float:
        return self._batching.share(request) if self._batching else 1.0

    async def _inputs(self, request: GenerateImage) -> Inputs:
        """Decoded beside the engine, which may still be busy with nothing but its own work."""
        if request.init_image is None:
            return NO_INPUTS
        image = await self._decoded(decode_image, request, request.init_image)
        mask = await self._decoded(decode_mask, request, request.mask_image) if request.mask_image else None
        return Inputs(image, mask)

    async def _decoded(
        self, decode: Callable[[bytes, GenerateImage], Image.Image], request: GenerateImage, kept: InputImage
    ) -> Image.Image:
        data = await self._store.get_input(kept)
        return await asyncio.get_running_loop().run_in_executor(self._encoders, decode, data, request)

    def _draw(self, request: GenerateImage, on_step: OnStep, inputs: Inputs, loop: asyncio.AbstractEventLoop) -> Drawn:
        """In the engine's thread; encoding begins from here, without waiting for the event loop to wake."""
        self._load(request.model)
        images = self._engine.generate(request, self._reporting(request, on_step), inputs)
        allowed = self._encoders.submit(self._output.check, images) if self._output.checker else None
        encodings = [Encoding(image, EncoderFile(loop)) for image in images]
        for index, (image, file) in enumerate(encodings):
            self._encoders.submit(file.fill, partial(self._output.write, image=image, request=request, index=index))
        return Drawn(encodings, allowed)

    def _reporting(self, request: GenerateImage, on_step: OnStep) -> OnImageStep:
        """With previews, unless pictures must be looked at before anybody sees them."""
        if self._output.checker is None:
            return with_previews(request, on_step)
        return lambda done, total, _=None, /: on_step(done, total)

    async def deliver(self, job: Job, attempt: int, computed: Drawn) -> tuple[ImageRef, ...]:
        """Nothing of a job is stored before all its pictures are allowed."""
        if computed.allowed is not None:
            await asyncio.wrap_future(computed.allowed)
        return tuple(
            await asyncio.gather(
                *(self._deliver_one(job, attempt, index, encoding) for index, encoding in enumerate(computed.encodings))
            )
        )

    async def _deliver_one(self, job: Job, attempt: int, index: int, encoding: Encoding) -> ImageRef:
        request, image = job.request, encoding.image
        key = f"{job.id}.{attempt}.{index}"
        kept = await self._store.put(self._worker, key, encoding.file.reader)
        ref = ImageRef(
            key=key,
            index=index,
            seed=request.image_seed(index),
            width=image.width,
            height=image.height,
            content_type=request.output_format.content_type,
            size=kept.size,
            parts=kept.parts,
        )
        self._thumbnails.note(job, ref, image)
        return ref

    def settled(self, job_id: str) -> None:
        self._thumbnails.make(job_id)

    def _checked(self, request: GenerateImage) -> GenerateImage:
        """Refuse what the engine could not even begin: gateways check too, but this worker may be newer than the job.

        Raises:
            NotThisWorker: it lacks what the job needs.
            EaselError: CONTENT_REFUSED.
        """
        model = next((model for model in self.models if model.id == request.model), None)
        if model is None:
            offered = ", ".join(model.id for model in self.models)
            message = f"worker {self._worker} does not offer the model {request.model!r}; it has {offered}"
            raise NotThisWorker(EaselError(ErrorCode.MODEL_NOT_FOUND, message, param="model"))
        try:
            check(model, request)
        except EaselError as lack:
            raise NotThisWorker(lack) from lack
        self._output.blocklist.check(request.prompt)
        return request

    async def close(self) -> None:
        self._idle.stop()
        await self._thumbnails.close(CLOSE_S)
        self._encoders.shutdown(wait=False)
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._alone(self._engine.close)
        except TimeoutError:
            return
        self._thread.stop()
