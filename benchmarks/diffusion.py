"""`python -m benchmarks.diffusion [--model NAME] [--rounds N] [--full-size]`: the diffusion service on this machine.

Plain torch float32 is the yardstick. Pictures are drawn in turns, one by each engine, so that what else runs on the
machine slows all of them alike; start-up and memory are those of a process for each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from benchmarks.figures import median, table
from contracts.images import GenerateImage, ModelInfo
from runtime.worker.images.engine import OnImageStep, PreviewSource
from runtime.worker.images.previews import encode_previews
from tests.support.memory import resident_bytes

if TYPE_CHECKING:
    from services.diffusion.engines.diffusers_engine import DiffusersEngine

ENGINES = {
    "torch float32": {"engine": "diffusers", "dtype": "float32"},
    "torch bfloat16": {"engine": "diffusers", "dtype": "bfloat16"},
    "OpenVINO float32": {"engine": "openvino", "dtype": "float32"},
    "OpenVINO, its own precision": {"engine": "openvino"},
    "OpenVINO, its own precision, static": {"engine": "openvino", "openvino_static": True},
    "OpenVINO, its own precision, int8 weights": {"engine": "openvino", "openvino_weights": "int8"},
}
FULL_SIZE_STEPS = 12
"""Of a picture, where a step takes seconds."""
PREVIEWS = 3
"""The most that OpenAI's `partial_images` may ask for."""
PREVIEW_ROUNDS = 5
"""Times as many as of others: what is looked for is a hundredth of what is measured."""
SAME_PROCESS = 4
"""Engines that are timed in turns: more would not fit beside each other in small machines."""


@dataclass(frozen=True)
class Asked:
    """What is measured."""

    model: str
    rounds: int
    cache: str


def build(options: dict[str, Any], asked: Asked) -> DiffusersEngine:
    """The engine with its first model in memory."""
    from services.diffusion.engines.factory import build_engine  # noqa: PLC0415  a process for each measures its import
    from services.diffusion.settings import DiffusionSettings  # noqa: PLC0415  as above

    engine = build_engine(DiffusionSettings(models=(asked.model,), device="cpu", cache_dir=asked.cache, **options))
    engine.load(engine.models[0].id)
    return cast("DiffusersEngine", engine)


def request(model: ModelInfo, seed: int, num_images: int = 1) -> GenerateImage:
    """Everything else as the model has it."""
    return GenerateImage(
        model=model.id,
        prompt="a red apple",
        width=model.default_width,
        height=model.default_height,
        num_inference_steps=model.default_steps,
        guidance_scale=model.default_guidance_scale,
        seed=seed,
        num_images=num_images,
    )


def look_away(done: int, total: int, preview: PreviewSource | None = None, /) -> None:
    """An `on_step` that nobody follows."""


def look_closely(done: int, total: int, preview: PreviewSource | None = None, /) -> None:
    """A preview after every step but the last, whose picture follows at once."""
    if preview is not None and done < total:
        encode_previews(preview())


def drawing(engine: DiffusersEngine, seed: int, num_images: int = 1, on_step: OnImageStep = look_away) -> float:
    """Seconds."""
    began = time.perf_counter()
    engine.generate(request(engine.models[0], seed, num_images), on_step)
    return time.perf_counter() - began


def starting(name: str, asked: Asked) -> dict[str, float]:
    """One engine in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.diffusion", "--start", name, "--cache", asked.cache]
    done = subprocess.run([*command, "--model", asked.model], check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def start(name: str, asked: Asked) -> None:
    """What `starting` runs: seconds from nothing to a picture, and the memory that it took."""
    began = time.perf_counter()
    engine = build(ENGINES[name], asked)
    drawing(engine, 1)
    figures = {"seconds": time.perf_counter() - began, "bytes": resident_bytes(os.getpid())}
    print(json.dumps(figures))


def starts(asked: Asked) -> str:
    rows = []
    for name in ENGINES:
        first, later = starting(name, asked), starting(name, asked)
        rows.append([name, f"{first['seconds']:.1f}", f"{later['seconds']:.1f}", f"{later['bytes'] / 1e6:.0f}"])
    return table(["engine", "first start to a picture, s", "later starts, s", "resident, MB"], rows)


def speeds(asked: Asked) -> str:
    names = list(ENGINES)[:SAME_PROCESS]
    engines = {name: build(ENGINES[name], asked) for name in names}
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(asked.rounds + 1):
        for name, engine in engines.items():
            taken[name].append(drawing(engine, turn))
    yardstick = min(taken[names[0]][1:])
    rows = [
        [name, f"{min(times[1:]):.3f}", f"{median(times[1:]):.3f}", f"{yardstick / min(times[1:]):.2f}"]
        for name, times in taken.items()
    ]
    return table(["engine", "a picture, least s", "median s", "times plain float32 (least)"], rows)


def batches(asked: Asked) -> str:
    engine = build(ENGINES["torch float32"], asked)
    taken: dict[int, list[float]] = {1: [], 2: [], 4: []}
    for turn in range(max(2, asked.rounds // 2)):
        for number, times in taken.items():
            times.append(drawing(engine, turn, number) / number)
    alone = min(taken[1])
    rows = [[str(number), f"{min(times):.3f}", f"{alone / min(times):.2f}"] for number, times in taken.items()]
    return table(["pictures at once (torch float32)", "s for each", "times one by one"], rows)


def drawn_alone(asked: Asked) -> str:
    from benchmarks.diffusion_together import alone  # noqa: PLC0415  a process for each measures its import

    return alone(build({"prompt_cache_mb": 0, **ENGINES["torch float32"]}, asked), asked.rounds)


def staggered(asked: Asked) -> str:
    from benchmarks.diffusion_together import arrivals  # noqa: PLC0415  a process for each measures its import

    engine = build(ENGINES["torch float32"], asked)
    return arrivals(engine, asked.rounds, engine.slots)


def full_size(asked: Asked) -> str:
    from benchmarks.diffusion_full_size import full_size as measured  # noqa: PLC0415  as above

    return measured(Path(asked.cache), min(asked.rounds, 5))


def full_size_loading(asked: Asked) -> str:
    from benchmarks.diffusion_full_size import build_folder  # noqa: PLC0415  as above
    from benchmarks.diffusion_memory import loading  # noqa: PLC0415  as above

    cache = Path(asked.cache)
    with tempfile.TemporaryDirectory(dir=cache) as converted:
        return loading(list(ENGINES), build_folder(cache / "sd15-shaped"), Path(converted))


def cached(asked: Asked) -> str:
    from benchmarks.diffusion_caches import caches  # noqa: PLC0415  as above

    engine = build(ENGINES["torch float32"], asked)
    return caches(engine, asked.rounds, engine.models[0].default_steps)


def full_size_cached(asked: Asked) -> str:
    from benchmarks.diffusion_caches import caches  # noqa: PLC0415  as above
    from benchmarks.diffusion_full_size import build_folder  # noqa: PLC0415  as above

    folder = build_folder(Path(asked.cache) / "sd15-shaped")
    own = Asked(str(folder), asked.rounds, asked.cache)
    return caches(build({**ENGINES["torch bfloat16"], "max_batch": "1"}, own), min(asked.rounds, 2), FULL_SIZE_STEPS)


def decoded(_asked: Asked) -> str:
    from benchmarks.diffusion_memory import decoding  # noqa: PLC0415  as above

    return decoding()


def previews(asked: Asked) -> str:
    """What a picture takes longer for each preview, encoded as for a client; with all of them and without, in turns."""
    rows = [_preview_cost(name, asked) for name in ("torch float32", "OpenVINO, its own precision")]
    shares = ["share of its step", f"{PREVIEWS} of them to all steps of a picture"]
    return table(["engine", "a step, ms", "a preview, ms", *shares], rows)


def _preview_cost(name: str, asked: Asked) -> list[str]:
    engine = build(ENGINES[name], asked)
    steps = engine.models[0].default_steps
    taken: dict[OnImageStep, list[float]] = {look_away: [], look_closely: []}
    for seed in range(PREVIEW_ROUNDS * asked.rounds):
        for on_step, times in taken.items():
            times.append(drawing(engine, seed, on_step=on_step))
    alone, with_previews = taken.values()
    step = median(alone) / steps
    cost = median([after - before for before, after in zip(alone, with_previews, strict=True)]) / (steps - 1)
    shares = [f"{cost / step:.1%}", f"{PREVIEWS * cost / (steps * step):.1%}"]
    return [name, f"{step * 1000:.1f}", f"{cost * 1000:.2f}", *shares]


PARTS = (
    ("Pictures, in turns", speeds),
    ("Several in one job", batches),
    ("One alone", drawn_alone),
    ("Eight jobs, staggered", staggered),
    ("Previews", previews),
    ("Step caches", cached),
    ("Start-up and memory", starts),
)
FULL_SIZE = (
    ("A denoiser like that of Stable Diffusion 1.5", full_size),
    ("Its step caches", full_size_cached),
    ("Loading it, and its memory", full_size_loading),
    ("A picture of 1024x1024 out of a VAE like Stable Diffusion 1.5's", decoded),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--cache", help="keep converted models here; absent: nowhere")
    parser.add_argument(
        "--full-size", action="store_true", help="a denoiser like SD 1.5's instead: half an hour, 12 GB"
    )
    parser.add_argument("--only", default="", metavar="WORD", help="parts with this word in their title")
    parser.add_argument("--start", choices=list(ENGINES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as nowhere:
        asked = Asked(given.model, given.rounds, given.cache or nowhere)
        if given.start:
            start(given.start, asked)
            return
        for title, part in FULL_SIZE if given.full_size else PARTS:
            if given.only.lower() not in title.lower():
                continue
            print(f"\n### {title}\n\n{part(asked)}", flush=True)


if __name__ == "__main__":
    main()
