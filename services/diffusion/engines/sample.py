"""A call of a model's denoiser as a plain request makes it: what measurements repeat."""

from __future__ import annotations

from typing import Any, NoReturn

import torch

from contracts.images import GenerateImage
from runtime.worker.images.engine import NO_INPUTS
from services.diffusion.catalogue import Model
from services.diffusion.engines.batching.calls import Call
from services.diffusion.engines.batching.shared import Denoiser
from services.diffusion.engines.loaded_model import LoadedModel
from services.diffusion.engines.native_size import at_native_size
from services.diffusion.engines.pipelines import call_arguments


class _Caught(BaseException):
    """Carries the call through the pipeline, past every handler in between."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call = call


class _Catcher(Denoiser):
    def forward(self, *args: Any, **options: Any) -> NoReturn:
        raise _Caught(self.call(args, options))


def plain_request(model: Model) -> GenerateImage:
    """One picture with everything as the model has it."""
    info = model.info
    request = GenerateImage(
        model=info.id,
        prompt="a picture",
        width=info.default_width,
        height=info.default_height,
        num_inference_steps=info.default_steps,
        guidance_scale=info.default_guidance_scale,
        seed=0,
    )
    return at_native_size(model, request, NO_INPUTS)[0]


@torch.inference_mode()
def sample_call(loaded: LoadedModel) -> Call:
    """The first call for one picture with the model's own size and guidance; nothing is denoised.

    Raises:
        RuntimeError: the pipeline made no call.
    """
    request = plain_request(loaded.model)
    pipe = loaded.private_pipeline(loaded.model.family.pipeline, request, None, stand_in=_Catcher)
    try:
        pipe(**call_arguments(pipe, loaded.model, request))
    except _Caught as caught:
        return caught.call
    message = f"the pipeline of {request.model} called no denoiser"
    raise RuntimeError(message)
