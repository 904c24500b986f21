"""Models trained at one size only: they draw at it, whatever was asked for, and the picture is resampled."""

from __future__ import annotations

import msgspec
from PIL import Image

from contracts.images import GenerateImage
from runtime.worker.images.engine import Inputs
from services.diffusion.catalogue import Model


def at_native_size(model: Model, request: GenerateImage, inputs: Inputs) -> tuple[GenerateImage, Inputs]:
    """The request and its pictures as the model draws them: the short side is the one it was trained at.

    The shape is kept as near as the model's multiple of pixels allows. Unchanged for models without a native side.
    """
    side = model.native_side
    if side is None:
        return request, inputs
    scale, multiple = side / min(request.width, request.height), model.info.size_multiple
    width, height = (round(edge * scale / multiple) * multiple for edge in (request.width, request.height))
    native = msgspec.structs.replace(request, width=width, height=height)
    image, mask = (it and it.resize((width, height), Image.Resampling.LANCZOS) for it in (inputs.image, inputs.mask))
    return native, Inputs(image, mask)


def at_asked_size(pictures: list[Image.Image], request: GenerateImage) -> list[Image.Image]:
    """Resampled where they were drawn at another size."""
    size = (request.width, request.height)
    return [it if it.size == size else it.resize(size, Image.Resampling.LANCZOS) for it in pictures]
