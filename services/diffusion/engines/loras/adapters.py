"""The LoRAs of one loaded model: the ones used last stay in memory, and requests with the same ones share them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from services.diffusion.engines.batching.calls import Call
from services.diffusion.engines.batching.device_thread import RunCalls
from services.diffusion.engines.batching.shared import runner
from services.diffusion.engines.loras.reading import read_terms
from services.diffusion.engines.loras.terms import NO_TERMS, Terms, Wearer, moved
from services.diffusion.loras.lora_file import LoraFile

log = structlog.get_logger()

Weighted = tuple[tuple[LoraFile, float], ...]
"""LoRAs and their weights, in the order of their names."""


@dataclass(frozen=True, eq=False)
class Worn:
    """What a request draws with: one object for all requests with the same LoRAs and weights."""

    key: Weighted
    parts: Mapping[str, Terms]
    wear: Callable[[], None]
    """Have the denoiser wear them: to be called where it runs, before it does."""
    run: RunCalls
    """Calls of the denoiser with these; another's are never merged with them."""

    def on(self, run: RunCalls) -> RunCalls:
        """`run`, which calls the denoiser, with these."""
        return _after(self.wear, run)


class Adapters:
    """`denoiser` is the name of the part that `wearers` has for it. At most `most` LoRAs stay when nobody draws."""

    def __init__(self, model: str, pipe: Any, wearers: Mapping[str, Wearer], denoiser: str, most: int) -> None:
        self._model = model
        self._pipe = pipe
        self._wearers = wearers
        self._denoiser = denoiser
        self._most = most
        self._hot: dict[LoraFile, Mapping[str, Terms]] = {}  # the one used last at the end
        self._worn: dict[Weighted, Worn] = {}  # likewise
        self._lock = threading.Lock()
        self.plain = self._made((), {})

    @property
    def nbytes(self) -> int:
        """Of all that is in memory for LoRAs."""
        kept = sum(_nbytes(parts) for parts in self._hot.values())
        return kept + (sum(wearer.growth for wearer in self._wearers.values()) if kept else 0)

    def missing(self, asked: Weighted) -> int:
        """Bytes that would be added to have them all in memory, at most."""
        new = sum(file.size for file, _ in asked if file not in self._hot)
        return new + (sum(it.growth for it in self._wearers.values()) if new and not self._hot else 0)

    def forget(self, but: Weighted = ()) -> bool:
        """Let the LoRA go that was used longest ago and is not among `but`; false when there is none."""
        keep = {file for file, _ in but}
        oldest = next((file for file in self._hot if file not in keep), None)
        if oldest is None:
            return False
        del self._hot[oldest]
        self._worn = {key: worn for key, worn in self._worn.items() if all(file != oldest for file, _ in key)}
        log.info("forgot a LoRA", model=self._model, lora=oldest.name)
        return True

    def worn(self, asked: Weighted) -> Worn:
        """What to draw with, in memory.

        Raises:
            EaselError: UNSUPPORTED, a LoRA does not fit the model.
        """
        if not asked:
            return self.plain
        with self._lock:
            for file, _ in asked:
                self._hot[file] = self._hot.pop(file) if file in self._hot else self._read(file)
            while len(self._hot) > self._most and self.forget(but=asked):
                pass
            worn = self._worn.pop(asked, None) or self._made(asked, self._together(asked))
            self._worn[asked] = worn
            if len(self._worn) > self._most:
                del self._worn[next(iter(self._worn))]
            return worn

    def _read(self, file: LoraFile) -> Mapping[str, Terms]:
        read = read_terms(file, self._model, self._pipe, self._wearers)
        device = self._pipe._execution_device  # noqa: SLF001  no public one knows of offloading
        log.info("read a LoRA", model=self._model, lora=file.name, parts=list(read))
        return {name: moved(terms, device, getattr(self._pipe, name).dtype) for name, terms in read.items()}

    def _together(self, asked: Weighted) -> dict[str, Terms]:
        parts: dict[str, dict[str, tuple[Any, ...]]] = {}
        for file, weight in asked:
            for name, terms in self._hot[file].items():
                own = parts.setdefault(name, {})
                for path, some in terms.items():
                    own[path] = (*own.get(path, ()), *(term.weighted(weight) for term in some))
        return dict(parts)

    def _made(self, key: Weighted, parts: Mapping[str, Terms]) -> Worn:
        terms, wearer = parts.get(self._denoiser, NO_TERMS), self._wearers[self._denoiser]
        wear = partial(wearer.wear, terms)
        return Worn(key, parts, wear, _after(wear, runner(getattr(self._pipe, self._denoiser))))

    def dress(self, worn: Worn) -> None:
        """Have the parts that are no denoiser wear it: to be called where they run, before they do."""
        for name, wearer in self._wearers.items():
            if name != self._denoiser:
                wearer.wear(worn.parts.get(name, NO_TERMS))


def _after(wear: Callable[[], None], run: RunCalls) -> RunCalls:
    def worn(calls: Sequence[Call]) -> list[Any]:
        wear()
        return run(calls)

    return worn


def _nbytes(parts: Mapping[str, Terms]) -> int:
    return sum(term.nbytes for terms in parts.values() for some in terms.values() for term in some)
