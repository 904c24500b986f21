"""Torch or OpenVINO, whichever is found faster: measured at a model's first load on a machine, and remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from contracts.errors import EaselError
from services.diffusion.catalogue import Model
from services.diffusion.choices import Choice, Choices
from services.diffusion.engines.backend import Backend, Networks
from services.diffusion.engines.batching.calls import Call
from services.diffusion.engines.batching.capacity import timed
from services.diffusion.engines.batching.device_thread import DeviceThread, RunCalls
from services.diffusion.engines.loaded_model import LoadedModel
from services.diffusion.engines.sample import sample_call
from services.diffusion.engines.weights import LOAD_FAULTS

log = structlog.get_logger()

MARGIN = 1.1
"""That another engine must be faster by than the presumed one: by less than that measurements waver, and a model that
is drawn by another engine draws other pixels."""
LONG_S = 5.0
"""A step that takes longer is measured once after the first, others `ROUNDS` times."""
ROUNDS = 5


class FastestBackend:
    """Satisfies `services.diffusion.engines.backend.Backend`.

    `rivals` by the engine's name, the presumed one last: it is in memory then, and stays. `circumstances` says, for
    `Choices`, what their speed depends on. `step_s` tells the seconds of a step.
    """

    def __init__(
        self,
        rivals: Mapping[str, Backend],
        choices: Choices,
        circumstances: str,
        step_s: Callable[[Model, Networks], float] | None = None,
    ) -> None:
        self._rivals = dict(rivals)
        self._presumed = list(rivals)[-1]
        self._choices = choices
        self._circumstances = circumstances
        self._step_s = step_s or seconds_of_a_step
        self._known = {it.model: it.engine for it in choices.all() if self._holds(it)}
        """Engines by model."""
        self._drawing = self._rivals[self._presumed]
        """The one that loaded last."""

    @property
    def name(self) -> str:
        return self._drawing.name

    @property
    def batches(self) -> bool:
        return self._drawing.batches

    def caches(self, model: Model, /) -> bool:
        return self._rivals[self._known.get(model.info.id, self._presumed)].caches(model)

    def size(self, model: Model) -> float:
        engine = self._known.get(model.info.id)
        return self._rivals[engine].size(model) if engine else max(it.size(model) for it in self._rivals.values())

    def load(self, model: Model) -> Networks:
        name = model.info.id
        if name not in self._known:
            with self._choices.measuring():
                found = self._choices.find(name)  # perhaps by another worker, meanwhile
                if found is None or not self._holds(found):
                    return self._race(model)
                self._known[name] = found.engine
        return self._loaded(model, self._known[name])

    def release(self) -> None:
        for rival in self._rivals.values():
            rival.release()

    def _holds(self, choice: Choice) -> bool:
        return choice.circumstances == self._circumstances and choice.engine in self._rivals

    def _loaded(self, model: Model, engine: str) -> Networks:
        self._drawing = self._rivals[engine]
        return self._drawing.load(model)

    def _race(self, model: Model) -> Networks:
        """One after the other, so that only one is in memory.

        Raises:
            EaselError: as the presumed one's, where none can draw the model.
        """
        step_s: dict[str, float] = {}
        networks: Networks | None = None
        for engine in self._rivals:
            networks = None
            self.release()
            try:
                networks = self._loaded(model, engine)
                step_s[engine] = self._step_s(model, networks)
            except (*LOAD_FAULTS, EaselError, MemoryError) as fault:
                networks = None
                if engine == self._presumed and not step_s:
                    raise
                log.warning("an engine cannot draw a model", engine=engine, model=model.info.id, fault=str(fault))
        best = min(step_s, key=lambda engine: step_s[engine] * (1 if engine == self._presumed else MARGIN))
        self._remember(model, best, step_s)
        if networks is not None and best == self._presumed:
            return networks
        networks = None
        self.release()
        return self._loaded(model, best)

    def _remember(self, model: Model, engine: str, step_s: dict[str, float]) -> None:
        """For later starts only if all could be measured: what one lacked, such as memory, may be there then."""
        name = model.info.id
        self._known[name] = engine
        log.info("engine chosen", model=name, engine=engine, step_s={it: round(s, 3) for it, s in step_s.items()})
        if len(step_s) == len(self._rivals):
            self._choices.keep(Choice(model=name, circumstances=self._circumstances, engine=engine, step_s=step_s))


def seconds_of_a_step(model: Model, networks: Networks) -> float:
    """For one picture with the model's own size and guidance; the least of a few."""
    thread = DeviceThread()
    try:
        loaded = LoadedModel(model, networks, 0.0, thread, prompts=0.0, loras=1)
        call = sample_call(loaded)
        return thread.run(None, lambda: _least(call, loaded.run))
    finally:
        thread.stop()


def _least(call: Call, run: RunCalls) -> float:
    first = timed([call], run)  # compiles, and warms up
    return min(timed([call], run) for _ in range(1 if first > LONG_S else ROUNDS))
