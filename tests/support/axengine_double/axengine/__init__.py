"""pyaxengine's surface as its source documents it (0.1.3.rc3), with ONNX Runtime where the card would be.

Kept: providers are strings in a list, options beside them; shapes and types are checked by `assert` alone; one buffer
of outputs for each session, written again by every run; not re-entrant; prints to stdout; with the driver's library
but without a card the import succeeds and the first session fails. `AXENGINE_DOUBLE` says what is there: `card`,
`no-card` or `no-driver`.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import onnxruntime

axengine_provider_name = "AxEngineExecutionProvider"
axclrt_provider_name = "AXCLRTExecutionProvider"
_THERE = os.environ.get("AXENGINE_DOUBLE", "card")
_TYPES = {"tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(float)": np.float32}

if _THERE == "no-driver":
    raise ImportError(
        "No providers found. Please make sure you have installed one of the following: "
        f"{[axengine_provider_name, axclrt_provider_name]}"
    )
print(f"[INFO] Available providers:  {[axclrt_provider_name]}")


def get_all_providers() -> list[str]:
    return [axengine_provider_name, axclrt_provider_name]


def get_available_providers() -> list[str]:
    return [axclrt_provider_name]


class NodeArg(NamedTuple):
    name: str
    dtype: Any
    shape: list[int]


class SessionOptions:
    pass


class InferenceSession:
    opened: ClassVar[list[tuple[str, int]]] = []
    """Path and device of each session, for tests to look at."""

    def __init__(
        self,
        path_or_bytes: Any,
        sess_options: SessionOptions | None = None,
        providers: Any = None,
        provider_options: Any = None,
        **kwargs: Any,
    ) -> None:
        wanted = [providers] if isinstance(providers, str) else providers
        if not isinstance(wanted, list) or axclrt_provider_name not in wanted:
            raise ValueError(f"No available provider found in {providers}")
        print(f"[INFO] Using provider: {axclrt_provider_name}")
        if _THERE == "no-card":
            raise RuntimeError("Failed to initialize axcl runtime. -2144337653.")
        device = (provider_options or [{}])[0].get("device_id", 0)
        path = path_or_bytes.encode("utf-8").decode()
        self._session = onnxruntime.InferenceSession(Path(path).read_bytes(), providers=["CPUExecutionProvider"])
        self._outputs = [np.empty(it.shape, it.dtype) for it in self.get_outputs()]
        self._running = threading.Lock()
        self.opened.append((path, device))

    def get_inputs(self, shape_group: int = 0) -> list[NodeArg]:
        return [NodeArg(it.name, np.dtype(_TYPES[it.type]), list(it.shape)) for it in self._session.get_inputs()]

    def get_outputs(self, shape_group: int = 0) -> list[NodeArg]:
        return [NodeArg(it.name, np.dtype(_TYPES[it.type]), list(it.shape)) for it in self._session.get_outputs()]

    def get_providers(self) -> str:
        return axclrt_provider_name

    def run(
        self, output_names: list[str] | None, input_feed: dict[str, Any], run_options: Any = None, shape_group: int = 0
    ) -> list[Any]:
        if output_names is not None and len(output_names) < len(self._outputs):
            raise ValueError(f"'{output_names}' is not in list")
        if not self._running.acquire(blocking=False):
            raise RuntimeError("two threads write the buffers of one session")
        try:
            for it in self.get_inputs():
                given = input_feed[it.name]
                assert list(given.shape) == it.shape, f"{it.name}: wrong shape"
                assert given.dtype == it.dtype, f"{it.name}: wrong type"
                if not (given.flags.c_contiguous or given.flags.f_contiguous):
                    raise ValueError("ndarray is not contiguous")
            raw = {  # memory is copied as it lies, whatever order its strides say
                name: np.frombuffer(value.tobytes(order="A"), value.dtype).reshape(value.shape)
                for name, value in input_feed.items()
            }
            for buffer, result in zip(self._outputs, self._session.run(None, raw), strict=True):
                np.copyto(buffer, result)
            return list(self._outputs)
        finally:
            self._running.release()
