"""Other parts in the place of a network's own, for one call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from torch.nn import Module


@contextlib.contextmanager
def swapped(network: Any, parts: Mapping[str, Module | None]) -> Iterator[None]:
    """`network` with `parts` in the place of those of the same names."""
    own = {name: network._modules[name] for name in parts}  # noqa: SLF001  assigning would be the same, with checks
    network._modules.update(parts)  # noqa: SLF001
    try:
        yield
    finally:
        network._modules.update(own)  # noqa: SLF001
