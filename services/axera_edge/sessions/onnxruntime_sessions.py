"""Graphs on the CPU, by ONNX Runtime: boards without a card, and tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from contracts.errors import EaselError, ErrorCode
from services.axera_edge.noise import Array
from services.axera_edge.sessions.session import TensorSpec

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
}
_FAULTS: tuple[type[Exception], ...] = tuple(
    value
    for value in vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
    if isinstance(value, type) and issubclass(value, Exception)
)
"""ONNX Runtime's own; they have no common base."""
_LOAD_FAULTS: tuple[type[Exception], ...] = (*_FAULTS, OSError)


class OnnxRuntimeSession:
    """Satisfies `Session`."""

    def __init__(self, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except _LOAD_FAULTS as fault:
            raise EaselError(ErrorCode.ENGINE_FAILED, f"{path} cannot be loaded by ONNX Runtime: {fault}") from fault
        self._path = path
        self._inputs, self._outputs = _specs(self._session.get_inputs()), _specs(self._session.get_outputs())

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        return self._inputs

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        return self._outputs

    def run(self, feed: dict[str, Array]) -> list[Array]:
        try:
            results: list[Array] = self._session.run(None, feed)
        except _FAULTS as fault:
            raise EaselError(ErrorCode.ENGINE_FAILED, f"{self._path.name} failed in ONNX Runtime: {fault}") from fault
        return results


class OnnxRuntimeSessions:
    """Satisfies `OpenSession`; `threads` 0 means one for each core."""

    def __init__(self, threads: int = 0) -> None:
        self._threads = threads

    @property
    def device(self) -> str:
        return "cpu (ONNX Runtime)"

    def __call__(self, path: Path) -> OnnxRuntimeSession:
        return OnnxRuntimeSession(path, self._threads)


def _specs(declared: list[Any]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(it.name, tuple(it.shape), np.dtype(_DTYPES.get(it.type, "float32"))) for it in declared)
