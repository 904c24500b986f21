"""Where requests over HTTP wait for the card, beside the jobs from the bus."""

from __future__ import annotations

import asyncio
import math
import time
from base64 import b64encode
from collections import deque

import msgspec
from PIL import Image

from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage
from runtime.worker.images.engine import Inputs, PreviewSource
from runtime.worker.images.output import PLAIN, Output
from services.axera_edge.engine import Drawn, EdgeEngine
from services.axera_edge.npu_thread import NpuBusyError

_REMEMBERED = 8
_UNKNOWN_S = 3.0


class Finished(msgspec.Struct, frozen=True):
    """What a client is given."""

    request: GenerateImage
    images: tuple[str, ...]
    """PNG in base64; fewer than asked for when interrupted."""
    text_time_ms: int
    total_time_ms: int


class Running(msgspec.Struct):
    """The request at the card."""

    request: GenerateImage
    started_at: float
    step: int = 0
    steps: int = 0
    interrupted: bool = False


class Desk:
    """One for each process. At most `max_waiting` requests at once, each waiting at most `wait_s` for its turn."""

    def __init__(self, engine: EdgeEngine, wait_s: float, max_waiting: int, output: Output = PLAIN) -> None:
        self.engine = engine
        self._wait_s = wait_s
        self._max_waiting = max_waiting
        self._output = output
        self._present = 0
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED)
        self.running: Running | None = None

    async def draw(self, request: GenerateImage, inputs: Inputs) -> Finished:
        """Wait for the card, draw, encode.

        Raises:
            EaselError: UNAVAILABLE with a time to come back; CONTENT_REFUSED; what the engine raises.
        """
        self._output.blocklist.check(request.prompt)
        if self._present >= self._max_waiting:
            raise self._busy(f"{self._present} requests are waiting, as many as may")
        self._present += 1
        try:
            return await asyncio.to_thread(self._draw, request, inputs)
        finally:
            self._present -= 1

    def interrupt(self) -> None:
        """End the request at the card after its step; its client gets what there is."""
        if self.running is not None:
            self.running.interrupted = True

    def _draw(self, request: GenerateImage, inputs: Inputs) -> Finished:
        """In a thread of its own, beside the card's."""
        running = Running(request, time.time())

        def on_step(done: int, total: int, preview: PreviewSource | None = None, /) -> None:
            self.running, running.step, running.steps = running, done, total
            if running.interrupted and preview is not None and done < total:
                raise _Interrupted([Image.fromarray(pixels) for pixels in preview()])

        try:
            drawn = self.engine.draw(request, on_step, inputs, self._wait_s)
        except NpuBusyError as fault:
            raise self._busy(f"the card was busy for {self._wait_s:g} s") from fault
        except _Interrupted as stop:
            drawn = Drawn(stop.images, 0, (time.time() - running.started_at) * 1000)
        finally:
            if self.running is running:
                self.running = None
        self._seconds.append(drawn.total_time_ms / 1000)
        self._output.check(drawn.images)
        encoded = tuple(
            b64encode(self._output.encode(image, request, index)).decode() for index, image in enumerate(drawn.images)
        )
        return Finished(request, encoded, round(drawn.text_time_ms), round(drawn.total_time_ms))

    def _busy(self, why: str) -> EaselError:
        seconds = self._seconds or [_UNKNOWN_S]
        return EaselError(
            ErrorCode.UNAVAILABLE, f"{why}; try again soon", retry_after_s=math.ceil(sum(seconds) / len(seconds))
        )


class _Interrupted(Exception):  # noqa: N818  not a failure
    def __init__(self, images: list[Image.Image]) -> None:
        super().__init__()
        self.images = images
