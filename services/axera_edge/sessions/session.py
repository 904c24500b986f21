"""The protocol of a loaded graph, and the checks that stand before every run of one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from contracts.errors import EaselError, ErrorCode
from services.axera_edge.noise import Array


class TensorSpec(NamedTuple):
    """An input or output as the graph declares it."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Session(Protocol):
    """A graph in memory. Not re-entrant: one caller at a time."""

    @property
    def inputs(self) -> Sequence[TensorSpec]: ...

    @property
    def outputs(self) -> Sequence[TensorSpec]: ...

    def run(self, feed: dict[str, Array]) -> list[Array]:
        """Every output in order. `feed` has each input in its declared shape and dtype, C-contiguous."""


class OpenSession(Protocol):
    """Loads graphs on one device."""

    @property
    def device(self) -> str:
        """As people name it."""

    def __call__(self, path: Path) -> Session:
        """Load one graph.

        Raises:
            EaselError: ENGINE_FAILED with what to do.
        """


class Graph:
    """A session whose inputs are called by what they mean, and checked.

    Compilers name inputs as they like (`x` or `latent`; an activation's path), so each meaning has several names. One
    meaning may go by an unknown name: it gets the input that is left.
    """

    def __init__(self, path: Path, session: Session, **names: tuple[str, ...]) -> None:
        """Raises EaselError, ENGINE_FAILED, when the graph's inputs are not these."""
        self._path = path
        self._session = session
        self._specs = self._resolved(names)

    @property
    def output(self) -> TensorSpec:
        """The first one; compilers number the others and name them as they like."""
        return self._session.outputs[0]

    def spec(self, meaning: str) -> TensorSpec:
        """What the graph wants for a meaning."""
        return self._specs[meaning]

    def expect(self, meaning: str, shape: tuple[int, ...]) -> None:
        """Raises EaselError, ENGINE_FAILED, unless the graph takes this shape for a meaning."""
        if self._specs[meaning].shape != shape:
            raise _unfit(self._path, f"takes {meaning} of {self._specs[meaning].shape}; the model's are {shape}")

    def __call__(self, **values: Array) -> Array:
        """The first output.

        Raises:
            EaselError: ENGINE_FAILED, an input of the wrong shape, a device that fails, or an output that is no number.
        """
        feed = {self._specs[meaning].name: self._fitted(meaning, value) for meaning, value in values.items()}
        result = self._session.run(feed)[0]
        if result.shape != self.output.shape or not np.isfinite(result).all():
            raise _unfit(self._path, f"gave {result.shape} instead of {self.output.shape}, or numbers that are none")
        return result

    def _fitted(self, meaning: str, value: Array) -> Array:
        """Of the declared shape and dtype and contiguous: the device copies raw memory and checks nothing."""
        spec = self._specs[meaning]
        if value.shape != spec.shape:
            raise _unfit(self._path, f"was given {meaning} of {value.shape}; it takes {spec.shape}")
        if value.dtype.kind != spec.dtype.kind:
            raise _unfit(self._path, f"was given {meaning} as {value.dtype}; it takes {spec.dtype}")
        return np.ascontiguousarray(value, spec.dtype)

    def _resolved(self, names: dict[str, tuple[str, ...]]) -> dict[str, TensorSpec]:
        rest = {spec.name: spec for spec in self._session.inputs}
        found = {}
        for meaning, known in names.items():
            name = next((name for name in known if name in rest), None)
            if name is not None:
                found[meaning] = rest.pop(name)
        unnamed = [meaning for meaning in names if meaning not in found]
        if len(unnamed) == len(rest) == 1:
            found[unnamed[0]] = rest.popitem()[1]
        if len(found) != len(names) or rest:
            have = ", ".join(spec.name for spec in self._session.inputs)
            raise _unfit(self._path, f"has the inputs {have}; wanted are {', '.join(names)}")
        return found


def _unfit(path: Path, what: str) -> EaselError:
    return EaselError(ErrorCode.ENGINE_FAILED, f"{path.name} {what}: it is not a part of this model, or damaged")
