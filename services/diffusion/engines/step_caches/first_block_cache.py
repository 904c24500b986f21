"""First block cache for transformers: where the first block changes little from step to step, the others are skipped.

As diffusers' `FirstBlockCacheConfig`, which keeps one state for each model and knows neither SD 3 nor Z-Image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import Module, ModuleList

from services.diffusion.engines.batching.calls import Call
from services.diffusion.engines.batching.shared import runner
from services.diffusion.engines.step_caches.swapped import swapped

LISTS = ("transformer_blocks", "single_transformer_blocks", "layers")
"""Where transformers keep their blocks, in the order in which they run."""
HIDDEN, CONTEXT = "hidden_states", "encoder_hidden_states"


class FirstBlockCache:
    """Satisfies `RunCalls` for one request: a step is whole where its first block changed by `threshold` or more."""

    def __init__(self, transformer: Any, threshold: float) -> None:
        self._transformer = transformer
        self._threshold = threshold
        self._run = runner(transformer)
        self._lists = {
            name: getattr(transformer, name) for name in LISTS if isinstance(_of(transformer, name), ModuleList)
        }
        self._blocks = [block for blocks in self._lists.values() for block in blocks]
        self._seen: Tensor | None = None
        """What the first block added in the last whole step."""
        self._first: Tensor | None = None
        self._others: Tensor | None = None
        """What all other blocks added to that."""
        self._skips = False

    def __call__(self, calls: Sequence[Call]) -> list[Any]:
        guarded = iter([_Guarded(self, block, index) for index, block in enumerate(self._blocks)])
        lists = {name: ModuleList([next(guarded) for _ in blocks]) for name, blocks in self._lists.items()}
        with swapped(self._transformer, lists):
            return self._run(calls)

    def after(self, index: int, given: Tensor, made: Tensor) -> None:
        """Block `index` made `made` of `given`."""
        if index == 0:
            self._decide(made - given)
            self._first = made
        elif index == len(self._blocks) - 1 and self._first is not None:
            self._others = made - self._first

    def _decide(self, added: Tensor) -> None:
        before = self._seen
        self._skips = False
        if before is not None and self._others is not None and before.shape == added.shape:
            change = (added - before).abs().mean() / before.abs().mean()
            self._skips = bool(change < self._threshold)
        if not self._skips:
            self._seen = added

    def skipped(self, index: int, given: Tensor) -> Tensor | None:
        """What block `index` is taken to have made, where it need not run."""
        if index == 0 or not self._skips or self._others is None:
            return None
        return given + self._others if index == len(self._blocks) - 1 else given


class _Guarded(Module):
    """A block that runs where the cache wants it to."""

    def __init__(self, cache: FirstBlockCache, block: Any, index: int) -> None:
        super().__init__()
        self._decide, self._learn = cache.skipped, cache.after
        self._block = block
        self._index = index

    def forward(self, *args: Any, **options: Any) -> Any:
        given = options[HIDDEN] if HIDDEN in options else args[0]
        skipped = self._decide(self._index, given)
        if skipped is not None:
            return (options[CONTEXT], skipped) if CONTEXT in options else skipped
        made = self._block(*args, **options)
        self._learn(self._index, given, made[1] if CONTEXT in options else made)
        return made


def _of(transformer: Any, name: str) -> Any:
    return getattr(transformer, name, None)
