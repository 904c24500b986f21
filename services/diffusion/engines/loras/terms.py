"""What a LoRA adds to one layer, and who adds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor  # the factory knows of this, and is there without torch


@dataclass(frozen=True, eq=False)
class Term:
    """`scale` times `up` after `down`: a product of matrices, or of convolutions, of low rank."""

    down: Tensor
    """(rank, inputs), of a convolution with its kernel."""
    up: Tensor
    """(outputs, rank), of a convolution (outputs, rank, 1, 1)."""
    scale: float

    def weighted(self, weight: float) -> Term:
        """The same, so much of it."""
        return replace(self, scale=self.scale * weight)

    @property
    def nbytes(self) -> int:
        return self.down.nbytes + self.up.nbytes

    def delta(self) -> Tensor:
        """What is added to the layer's weight, in its shape; float32."""
        up, down = self.up.float().flatten(1), self.down.float()
        return ((up @ down.flatten(1)) * self.scale).reshape(len(up), *down.shape[1:])


Terms = Mapping[str, tuple[Term, ...]]
"""By the layer's path in its module."""
NO_TERMS: Terms = {}


def moved(terms: Terms, device: Any, dtype: Any) -> Terms:
    """Where a part of a pipeline computes, and in its format."""

    def one(term: Term) -> Term:
        return replace(term, down=term.down.to(device, dtype), up=term.up.to(device, dtype))

    return {path: tuple(map(one, some)) for path, some in terms.items()}


class Wearer(Protocol):
    """A part of a pipeline that can have LoRAs added."""

    @property
    def layers(self) -> Any:
        """A torch module with the part's layers, perhaps without their numbers."""

    @property
    def growth(self) -> int:
        """Bytes that it takes with LoRAs beyond those of the LoRAs themselves."""

    def wear(self, terms: Terms) -> None:
        """Compute with these from now on, and without those before; the same object again costs nothing.

        Called by one thread at a time, while the part computes nothing.
        """
