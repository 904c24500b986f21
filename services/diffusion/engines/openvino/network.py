"""One compiled graph: named tensors in, one tensor out."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import torch

KEPT_SHAPES = 4
"""Compiled forms that a graph keeps where each is for one shape: two sizes, each with and without guidance."""


Change = Callable[[ov.Model], None]


class Network:
    """Inputs are float32, the output is what the graph gives; the device chooses its own precision within.

    With `static` the graph is compiled anew for each combination of shapes that is asked, which NPUs need and CPUs
    thank with speed; otherwise once, for all shapes.
    """

    def __init__(
        self,
        core: ov.Core,
        path: Path,
        device: str,
        options: dict[str, Any],
        *,
        static: bool,
        change: Change | None = None,
    ) -> None:
        self._core = core
        self._path = path
        self._device = device
        self._options = options
        self._static = static
        self._change = change
        self._lock = threading.Lock()
        self._requests: OrderedDict[tuple[Any, ...], ov.InferRequest] = OrderedDict()
        if not static:
            self._requests[()] = self._compiled({})

    @property
    def nbytes(self) -> int:
        """Of its weights on disk."""
        return self._path.with_suffix(".bin").stat().st_size

    def changed(self, change: Change) -> Network:
        """A network of its own over the changed graph, of which nothing is kept on disk."""
        options = {name: value for name, value in self._options.items() if name != "CACHE_DIR"}
        return Network(self._core, self._path, self._device, options, static=self._static, change=change)

    def __call__(self, **tensors: torch.Tensor) -> torch.Tensor:
        """The first output for inputs by name."""
        with self._lock:  # a graph runs one call at a time, and refuses a second
            return self._run(tensors)

    def _run(self, tensors: dict[str, torch.Tensor]) -> torch.Tensor:
        feed = {name: tensor.detach().float().contiguous().numpy() for name, tensor in tensors.items()}
        request = self._request({name: array.shape for name, array in feed.items()})
        for name, array in feed.items():
            request.set_tensor(name, ov.Tensor(array, shared_memory=True))
        request.infer(share_outputs=True)
        return torch.from_numpy(np.array(request.get_output_tensor(0).data))  # a copy: the next call overwrites it

    def _request(self, shapes: dict[str, tuple[int, ...]]) -> ov.InferRequest:
        key = tuple(shapes.items()) if self._static else ()
        if key not in self._requests:
            if len(self._requests) == KEPT_SHAPES:
                self._requests.popitem(last=False)
            self._requests[key] = self._compiled(shapes)
        self._requests.move_to_end(key)
        return self._requests[key]

    def _compiled(self, shapes: dict[str, tuple[int, ...]]) -> ov.InferRequest:
        graph = self._core.read_model(self._path)
        if self._change is not None:
            self._change(graph)
        if shapes:
            graph.reshape({name: ov.PartialShape(list(shape)) for name, shape in shapes.items()})
        return self._core.compile_model(graph, self._device, self._options).create_infer_request()
