"""Models in memory: how many, how large, and which one leaves first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import structlog

from contracts.errors import EaselError, ErrorCode

log = structlog.get_logger()

GB = 1e9


class Sized(Protocol):
    """Something that takes memory."""

    @property
    def size(self) -> float:
        """Bytes."""


T = TypeVar("T", bound=Sized)


class ModelCache(Generic[T]):
    """At most `most` models and `budget` bytes (0 for any); the one used longest ago leaves first.

    `loaded` and `peek` are safe from any thread, all else from one at a time.
    """

    def __init__(self, most: int, budget: float, on_drop: Callable[[], None]) -> None:
        self._most = most
        self._budget = budget
        self._on_drop = on_drop
        self._models: dict[str, T] = {}  # the one used last at the end

    @property
    def loaded(self) -> tuple[str, ...]:
        return tuple(self._models)

    def find(self, name: str) -> T | None:
        """The model if it is there; it has now been used."""
        if name not in self._models:
            return None
        self._models[name] = self._models.pop(name)
        return self._models[name]

    def peek(self, name: str) -> T | None:
        """The model if it is there, which is no use of it."""
        return self._models.get(name)

    def make_room(self, name: str, size: float) -> None:
        """Let others leave until a model of `size` bytes fits.

        Raises:
            EaselError: UNSUPPORTED, it is larger than the budget alone; nothing has left.
        """
        if self._budget and size > self._budget:
            message = (
                f"{name} takes {size / GB:.2f} GB of memory and this worker may use {self._budget / GB:.2f}: raise "
                "EASEL_DIFFUSION_MEMORY_GB, choose a smaller model, or 16 bits with EASEL_DIFFUSION_DTYPE"
            )
            raise EaselError(ErrorCode.UNSUPPORTED, message, param="model")
        while self._models and (len(self._models) >= self._most or not self.has_room(size)):
            self.drop(next(iter(self._models)))

    def make_room_beside(self, name: str, size: float) -> None:
        """Let others leave until the model may grow by `size` bytes.

        Raises:
            EaselError: UNSUPPORTED, it would be larger than the budget alone; nothing has left.
        """
        own = self._models[name].size if name in self._models else 0.0
        if self._budget and own + size > self._budget:
            message = (
                f"{name} takes {own / GB:.2f} GB of memory, its LoRAs {size / GB:.2f} more, and this worker may use "
                f"{self._budget / GB:.2f}: raise EASEL_DIFFUSION_MEMORY_GB, or ask for fewer LoRAs"
            )
            raise EaselError(ErrorCode.UNSUPPORTED, message, param="loras")
        while not self.has_room(size) and (others := [it for it in self._models if it != name]):
            self.drop(others[0])

    def has_room(self, size: float) -> bool:
        """Whether `size` more bytes fit."""
        return not self._budget or sum(model.size for model in self._models.values()) + size <= self._budget

    def keep(self, name: str, model: T) -> None:
        """Add a model, for which room was made."""
        self._models[name] = model

    def drop(self, name: str) -> None:
        """Give a model's memory back; harmless when it is not there."""
        if self._models.pop(name, None) is not None:
            log.info("unloaded", model=name)
            self._on_drop()

    def clear(self) -> None:
        for name in self.loaded:
            self.drop(name)
