"""A fake engine whose steps the test allows one by one, so that nothing depends on how fast a machine is."""

from __future__ import annotations

import threading

from PIL import Image

from contracts.images import GenerateImage
from runtime.worker.images.engine import NO_INPUTS, Inputs, OnImageStep, PreviewSource
from tests.support.fake_engine import FakeEngine

PATIENCE_S = 60.0


class SteppedEngine(FakeEngine):
    """Requests whose prompt begins with `slow` end a step whenever `allow` was called; others run through."""

    def __init__(self) -> None:
        super().__init__(loras=("fog", "styles/ink"))
        self._allowed = threading.Semaphore(0)
        self.begun: list[tuple[GenerateImage, Inputs]] = []
        """What it was asked for, in order."""

    def allow(self, steps: int = 1) -> None:
        self._allowed.release(steps)

    def end(self) -> None:
        """Let everything run through."""
        self.allow(100_000)

    def generate(
        self, request: GenerateImage, on_step: OnImageStep, inputs: Inputs = NO_INPUTS, /
    ) -> list[Image.Image]:
        self.begun.append((request, inputs))

        def when_allowed(done: int, total: int, preview: PreviewSource | None = None, /) -> None:
            if request.prompt.startswith("slow"):
                self._allowed.acquire(timeout=PATIENCE_S)
            on_step(done, total, preview)

        return super().generate(request, when_allowed, inputs)
