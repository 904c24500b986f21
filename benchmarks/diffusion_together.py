"""Jobs that come one after the other, drawn one by one and together; and what the sharing costs one alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec
import torch

from benchmarks.figures import median, table
from contracts.images import GenerateImage
from runtime.worker.images.engine import PreviewSource
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.loaded_model import LoadedModel
from services.diffusion.engines.pipelines import call_arguments, to_pictures
from services.diffusion.engines.sample import plain_request

JOBS = 8
ONE_BY_ONE = "one by one"
STAGGER = 0.25
"""Of a picture's time between two jobs."""


def look_away(_done: int, _total: int, _preview: PreviewSource | None = None, /) -> None:
    """An `on_step` that nobody follows."""


def loaded_model(engine: DiffusersEngine) -> LoadedModel:
    """The engine's only one."""
    loaded = engine._cache.peek(engine.models[0].id)  # noqa: SLF001  measured from within
    assert loaded is not None
    return loaded


def alone(engine: DiffusersEngine, rounds: int) -> str:
    """One picture by the engine and by diffusers' own pipeline over the same weights, in turns; both encode prompts."""
    loaded = loaded_model(engine)
    request = plain_request(loaded.model)
    plain, shared = list[float](), list[float]()
    for _ in range(rounds + 1):
        plain.append(_timed(lambda: _plainly(loaded, request)))
        shared.append(_timed(lambda: engine.generate(request, look_away)))
    return table(
        ["one picture", "least s", "median s"],
        [
            ["diffusers' own pipeline", f"{min(plain[1:]):.3f}", f"{median(plain[1:]):.3f}"],
            ["the engine", f"{min(shared[1:]):.3f}", f"{median(shared[1:]):.3f}"],
            ["ratio", f"{min(shared[1:]) / min(plain[1:]):.3f}", f"{median(shared[1:]) / median(plain[1:]):.3f}"],
        ],
    )


@torch.inference_mode()
def _plainly(loaded: LoadedModel, request: GenerateImage) -> None:
    loaded.pipe.scheduler = type(loaded.pipe.scheduler).from_config(loaded.pipe.scheduler.config)
    to_pictures(loaded.pipe(**call_arguments(loaded.pipe, loaded.model, request)).images)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def arrivals(engine: DiffusersEngine, rounds: int, found: int) -> str:
    """`found` is what the engine takes for worth while on this device."""
    request = plain_request(loaded_model(engine).model)
    picture = min(_timed(lambda: engine.generate(request, look_away)) for _ in range(3))
    ways = {f"continuously, {count} at once": partial(_served, engine, request, count) for count in (2, 4, JOBS)}
    ways = {ONE_BY_ONE: partial(_served, engine, request, 1), "batched": partial(_batched, engine, request), **ways}
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(max(2, rounds // 4)):
        for name, serve in ways.items():
            seen[name].append(serve(STAGGER * picture))
    by_turns = min(ends for ends, _ in seen[ONE_BY_ONE])
    rows = [
        [
            name,
            f"{min(ends for ends, _ in times):.2f}",
            f"{min(waits for _, waits in times):.2f}",
            f"{by_turns / min(ends for ends, _ in times):.2f}",
        ]
        for name, times in seen.items()
    ]
    said = f"{JOBS} jobs; {found} at once is found to pay here"
    return table([said, "all done, s", "mean wait, s", "times one by one"], rows)


def _batched(engine: DiffusersEngine, request: GenerateImage, pause: float) -> tuple[float, float]:
    """As `_served`, when all that wait become one job as soon as the one before has ended."""
    began, came = time.perf_counter(), [number * pause for number in range(JOBS)]
    done = list[float]()
    while len(done) < JOBS:
        time.sleep(max(0.0, began + came[len(done)] - time.perf_counter()))
        waiting = sum(it <= time.perf_counter() - began for it in came) - len(done)
        engine.generate(msgspec.structs.replace(request, num_images=waiting), look_away)
        done += [time.perf_counter() - began] * waiting
    return done[-1], sum(end - start for end, start in zip(done, came, strict=True)) / JOBS


def _served(engine: DiffusersEngine, request: GenerateImage, at_once: int, pause: float) -> tuple[float, float]:
    """Seconds from the first job to the last picture, and from a job to its picture on average."""
    began = time.perf_counter()

    def draw(came: float) -> float:
        engine.generate(request, look_away)
        return time.perf_counter() - came

    with ThreadPoolExecutor(at_once) as slots:
        drawing = []
        for number in range(JOBS):
            time.sleep(max(0.0, began + number * pause - time.perf_counter()))
            drawing.append(slots.submit(draw, time.perf_counter()))
        waits = [it.result() for it in drawing]
    return time.perf_counter() - began, sum(waits) / JOBS
