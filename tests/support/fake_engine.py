"""An engine that draws noise at a fixed pace: the real protocol, no model. Proved by the engines' conformance suite."""

from __future__ import annotations

import os
import threading
import time
from functools import partial

import numpy as np
from PIL import Image

from contracts.capability import check
from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage, ModelInfo
from runtime.worker.images.engine import NO_INPUTS, Inputs, OnImageStep, Pixels


def fake_model(model_id: str = "fake", loras: tuple[str, ...] = ()) -> ModelInfo:
    """A model that takes any legal size and 1 to 1000 steps."""
    return ModelInfo(
        id=model_id,
        family="fake",
        default_width=64,
        default_height=64,
        size_multiple=8,
        min_size=8,
        max_size=2048,
        max_pixels=2048 * 2048,
        default_steps=4,
        min_steps=1,
        max_steps=1000,
        default_guidance_scale=7.5,
        max_guidance_scale=30.0,
        negative_prompt=True,
        licence="none",
        source="tests",
        img2img=True,
        inpaint=True,
        loras=loras,
    )


class FakeEngine:
    """Noise from the seed, the prompt, the LoRAs and the size.

    `step_s` is the time of a step. A request whose prompt begins with `gate` waits before its first step until
    `gate` is set; one that begins with `poison` kills the process; one that begins with `fail` raises, one that begins
    with `quote` raises what quotes it.
    """

    def __init__(
        self, *, step_s: float = 0.0, models: tuple[str, ...] = ("fake",), loras: tuple[str, ...] = ()
    ) -> None:
        self.models = tuple(fake_model(model, loras) for model in models)
        self.device = "cpu (fake)"
        self.loaded: tuple[str, ...] = ()
        self.step_s = step_s
        self.gate = threading.Event()
        self.was_loaded: list[str] = []
        """Models brought into memory, in order."""
        self.drawn: list[str] = []
        """Prompts of the requests begun, in order."""

    def load(self, model: str) -> None:
        if model not in [offered.id for offered in self.models]:
            raise EaselError(ErrorCode.MODEL_NOT_FOUND, f"no model {model!r}", param="model")
        if model not in self.loaded:
            self.was_loaded.append(model)
        self.loaded = (*[name for name in self.loaded if name != model], model)

    def generate(
        self, request: GenerateImage, on_step: OnImageStep, inputs: Inputs = NO_INPUTS, /
    ) -> list[Image.Image]:
        self.load(request.model)
        check(next(model for model in self.models if model.id == request.model), request)
        self.drawn.append(request.prompt)
        match request.prompt.split(" ")[0]:
            case "gate":
                self.gate.wait(60)
            case "poison":
                os._exit(9)
            case "fail":
                raise RuntimeError("the engine broke")
            case "quote":
                raise ValueError(f"cannot read {request.prompt!r} and not {request.negative_prompt}")
        pictures = [self._picture(request, index, inputs) for index in range(request.num_images)]
        for step in range(1, request.num_inference_steps + 1):
            if self.step_s:
                time.sleep(self.step_s)  # stands for the work of a step
            on_step(step, request.num_inference_steps, partial(_emerging, pictures, step / request.num_inference_steps))
        return pictures

    def _picture(self, request: GenerateImage, index: int, inputs: Inputs) -> Image.Image:
        loras = "".join(f"{lora.name}{lora.weight}" for lora in request.loras)
        words = [request.image_seed(index), *(request.prompt + loras).encode(), request.num_inference_steps]
        noise = np.random.default_rng(words).integers(0, 256, (request.height, request.width, 3), dtype=np.uint8)
        drawn = Image.fromarray(noise)
        if inputs.image is None:
            return drawn
        drawn = Image.blend(inputs.image, drawn, request.strength)
        return drawn if inputs.mask is None else Image.composite(drawn, inputs.image, inputs.mask)

    def close(self) -> None:
        self.loaded = ()


def _emerging(pictures: list[Image.Image], share: float) -> list[Pixels]:
    """The pictures as they come out of a grey."""
    return [np.asarray(Image.blend(Image.new("RGB", it.size, "grey"), it, share)) for it in pictures]


class MovableEngine(FakeEngine):
    """A fake that gives models back, and moves between `cpu` and `gpu`."""

    def unload(self, model: str) -> None:
        self.loaded = tuple(name for name in self.loaded if name != model)

    def select_device(self, device: str) -> None:
        if device.lower() not in ("cpu", "gpu"):
            raise EaselError(ErrorCode.ENGINE_FAILED, f"no device {device!r} here; there are cpu, gpu")
        self.device = f"{device.lower()} (fake)"
        self.loaded = ()
