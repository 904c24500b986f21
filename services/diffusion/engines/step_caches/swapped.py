"""Other parts in the place of a network's own, for one call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from torch.nn import Module


@contextlib.contextmanager
def swapped(network: Any, parts: Mapping[str, Module | None]) -> Iterator[None]:
    """`network` with `parts` in the place of those of the same names that it has: some have no middle block."""
    own = {name: network._modules[name] for name in parts if name in network._modules}  # noqa: SLF001  to be put back
    network._modules.update({name: parts[name] for name in own})  # noqa: SLF001
    try:
        yield
    finally:
        network._modules.update(own)  # noqa: SLF001
