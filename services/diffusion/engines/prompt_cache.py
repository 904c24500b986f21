"""Prompts that were encoded, so that the same ones need not be encoded again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any

from prometheus_client import Counter
from torch import Tensor

PROMPTS = Counter("t2i_prompts_encoded", "Prompts by where their embeddings came from.", ["source"])
"""`source` is `encoder` or `cache`."""


class PromptCache:
    """Embeddings by what they were made of, at most `limit` bytes (0 for none); the ones unused for longest leave.

    Safe from any thread.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._bytes = 0

    def find(self, key: Hashable, encode: Callable[[], Any]) -> Any:
        """What `encode()` gave for `key` before, or gives now: tensors in tuples or lists, which nobody changes."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
        PROMPTS.labels("encoder" if found is None else "cache").inc()
        if found is None:
            found = encode()
            self._keep(key, found)
        return _copied(found)

    def _keep(self, key: Hashable, made: Any) -> None:
        with self._lock:
            if key in self._kept or _bytes(made) > self._limit:
                return
            self._kept[key] = made
            self._bytes += _bytes(made)
            while self._bytes > self._limit:
                self._bytes -= _bytes(self._kept.popitem(last=False)[1])


def _tensors(made: Any) -> Iterator[Tensor]:
    if isinstance(made, Tensor):
        yield made
    elif isinstance(made, list | tuple):
        for one in made:
            yield from _tensors(one)


def _bytes(made: Any) -> int:
    return sum(tensor.nbytes for tensor in _tensors(made))


def _copied(made: Any) -> Any:
    """The same tensors in lists of their own: pipelines repeat those in place."""
    if isinstance(made, list | tuple):
        return type(made)(_copied(one) for one in made)
    return made
