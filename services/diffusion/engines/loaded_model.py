"""One model in memory, and the pipelines over its weights: text to image, image to image, inpainting."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import diffusers

from services.diffusion.catalogue import Model
from services.diffusion.engines.previews import PreviewDecoder
from services.diffusion.schedulers import own_name


class LoadedModel:
    """Weights once; pipelines of its three tasks share them."""

    def __init__(self, model: Model, pipe: Any, size: float) -> None:
        self.model = model
        self.pipe = pipe
        self.size = size
        """Bytes of its weights."""
        self.preview_decoder = PreviewDecoder(pipe.vae)
        self._by_class = {model.family.pipeline: pipe}

    def private_pipeline(self, class_name: str, scheduler: str) -> Any:
        """A pipeline for one request: its scheduler and its running state are its own.

        `scheduler` is one of the model's `schedulers`, or empty for its own.
        """
        if class_name not in self._by_class:
            self._by_class[class_name] = _same_parts(self.pipe, getattr(diffusers, class_name))
        private = copy.copy(self._by_class[class_name])
        private.scheduler = self._scheduler(scheduler)
        return private

    def _scheduler(self, name: str) -> Any:
        own = self.pipe.scheduler
        if not name or name == own_name(own.config):
            return type(own).from_config(own.config)
        wanted = self.model.family.schedulers[name]
        return getattr(diffusers, wanted.kind).from_config(own.config, **wanted.config)


def _same_parts(pipe: Any, kind: Any) -> Any:
    """Like diffusers' `from_pipe`, which leaves out a VAE of another class than the signature names: a tiny one."""
    known = {**pipe.config, **pipe.components}
    parameters = inspect.signature(kind.__init__).parameters
    made = kind(**{name: known[name] for name in parameters if name in known})
    made.set_progress_bar_config(disable=True)
    return made
