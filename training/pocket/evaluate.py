"""Evaluation on captions whose combinations training never saw, and the contact sheet."""

from __future__ import annotations

import json
import random
import textwrap
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image, ImageDraw

from .captions import caption
from .classifier import judge, load_judge
from .pixels import ground_colour, shapes_right
from .scenes import SIZE, Spec, random_spec

THINGS, SHAPES = 300, 100
FRAMES = {"square": (SIZE, SIZE), "wide": (384, 256), "high": (256, 384)}
OTHER_FRAMES = 100
"""Captions of things that are also drawn wide, and high."""
_BATCH = 10
SHEET = (
    "a red fox in the snow",
    "a cat sitting on a windowsill",
    "a sunset over mountains",
    "a dog playing in a park",
    "a photograph of a red fox in the snow, highly detailed",
    "A sunset over a mountain range with vivid colours",
    "a red circle above a blue square",
    "a small yellow star in the top left corner on a purple background",
    "a penguin on a blue background",
    "an elephant in the desert",
    "a sailboat on the sea at sunset",
    "a rocket in the night sky",
    "a castle in the mountains",
    "a lighthouse at night",
    "a car in the city",
    "a bus on a city street at night",
    "a green apple on a white background",
    "two bananas",
    "a slice of pizza on a yellow background",
    "a birthday cake",
    "a cup of coffee by the window",
    "a hamburger on a red background",
    "strawberries on a pink background",
    "a cactus in the desert",
    "a christmas tree in the snow",
    "sunflowers in a meadow",
    "a palm tree on the beach",
    "a butterfly in a garden",
    "an owl in the forest at night",
    "a dolphin in the ocean",
    "a cat and a dog",
    "a bunny in the grass",
    "a guitar on an orange background",
    "a robot in the city",
    "a pencil sketch of a horse",
    "a big teddy bear",
    "a heart on a black background",
    "a green triangle to the left of a pink heart",
    "a rainbow in the sky",
    "the ocean at night",
)


def held_out_specs(seed: int) -> tuple[list[Spec], list[Spec]]:
    """(things, shapes): pictures whose subject was never seen on their ground."""
    rng, things, shapes = random.Random(f"{seed}/evaluation"), [], []
    while len(things) < THINGS or len(shapes) < SHAPES:
        spec = random_spec(rng, held_out=True)
        wanted, most = (shapes, SHAPES) if spec.shapes else (things, THINGS)
        if (spec.shapes or len(spec.things) == 1) and not spec.sketch and len(wanted) < most:
            wanted.append(spec)
    return things, shapes


def generate(
    pipeline: StableDiffusionPipeline, prompts: list[str], steps: int, guidance: float, frame: str = "square"
) -> np.ndarray:
    """Pictures (N, height, width, 3) uint8 of one of FRAMES; picture i is drawn from seed i."""
    pictures, (width, height) = [], FRAMES[frame]
    for start in range(0, len(prompts), _BATCH):
        batch = prompts[start : start + _BATCH]
        generators = [torch.Generator().manual_seed(start + offset) for offset in range(len(batch))]
        output = pipeline(
            batch,
            width=width,
            height=height,
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=generators,
            output_type="np",
        )
        pictures.append((output.images * 255).round().astype(np.uint8))
    return np.concatenate(pictures)


def _middle(pictures: np.ndarray) -> np.ndarray:
    """The square in the middle, where single things are: (N, SIZE, SIZE, 3)."""
    top, left = (pictures.shape[1] - SIZE) // 2, (pictures.shape[2] - SIZE) // 2
    return pictures[:, top : top + SIZE, left : left + SIZE]


def score_frames(pipeline: StableDiffusionPipeline, workdir: Path, seed: int, steps: int, guidance: float) -> dict:
    """Whether things are recognised in pictures that are wider or higher than those of `score`."""
    rng, found = random.Random(f"{seed}/evaluation captions"), {}
    things = held_out_specs(seed)[0][:OTHER_FRAMES]
    captions = [caption(spec, rng) for spec in things]
    for frame in ("wide", "high"):
        seen = judge(load_judge(workdir), _middle(generate(pipeline, captions, steps, guidance, frame)))
        right = [spec.things == view.things for spec, view in zip(things, seen, strict=True)]
        found[f"object, {frame}"] = _share(right)
    return found


def _share(right: list[bool]) -> float:
    return round(sum(right) / max(1, len(right)), 4)


def score(pipeline: StableDiffusionPipeline, workdir: Path, seed: int, steps: int, guidance: float) -> dict[str, float]:
    """Every figure of the model card, as shares of 1."""
    rng = random.Random(f"{seed}/evaluation captions")
    things, shapes = held_out_specs(seed)
    pictures = generate(pipeline, [caption(spec, rng) for spec in things], steps, guidance)
    seen = judge(load_judge(workdir), pictures)
    scenic = [(spec, view) for spec, view in zip(things, seen, strict=True) if spec.place]
    plain = [(spec, picture) for spec, picture in zip(things, pictures, strict=True) if not spec.place]
    drawn = generate(pipeline, [caption(spec, rng) for spec in shapes], steps, guidance)
    checks = [shapes_right(picture, spec) for picture, spec in zip(drawn, shapes, strict=True)]
    return {
        "object": _share([spec.things == view.things for spec, view in zip(things, seen, strict=True)]),
        "place": _share([spec.place == view.place for spec, view in scenic]),
        "sky": _share([spec.sky == view.sky for spec, view in scenic]),
        "ground colour": _share(
            [ground_colour(picture) == spec.ground for spec, picture in plain]
            + [ground_colour(picture) == spec.ground for spec, picture in zip(shapes, drawn, strict=True)]
        ),
        "shape colour": _share([colour for colour, _ in checks]),
        "shape place": _share([place for _, place in checks]),
    }


def contact_sheet(pipeline: StableDiffusionPipeline, path: Path, steps: int, guidance: float) -> None:
    """Draw SHEET, eight pictures a row with their prompts."""
    pictures = generate(pipeline, list(SHEET), steps, guidance)
    side, text = 192, 28
    sheet = Image.new("RGB", (8 * side, len(SHEET) // 8 * (side + text)), "white")
    write = ImageDraw.Draw(sheet)
    for index, (prompt, picture) in enumerate(zip(SHEET, pictures, strict=True)):
        x, y = index % 8 * side, index // 8 * (side + text)
        sheet.paste(Image.fromarray(picture).resize((side - 4, side - 4), Image.Resampling.LANCZOS), (x + 2, y))
        lines = "\n".join(textwrap.wrap(prompt, 34))
        write.text((x + 3, y + side - 3), lines, fill="black", font_size=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def seconds_per_picture(pipeline: StableDiffusionPipeline, steps: int, guidance: float) -> float:
    """The best of three single 256x256 pictures, after one to warm up."""
    durations = []
    for _ in range(4):
        started = time.monotonic()
        pipeline("a red fox in the snow", num_inference_steps=steps, guidance_scale=guidance)
        durations.append(time.monotonic() - started)
    return round(min(durations[1:]), 3)


def evaluate(workdir: Path, folder: Path, sheet: Path, seed: int) -> dict[str, float]:
    """Score the exported model at its defaults, write the figures and the contact sheet."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.bfloat16, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.unet.to(memory_format=torch.channels_last)
    defaults = json.loads((folder / "easel.json").read_text())
    steps, guidance = defaults["num_inference_steps"], defaults["guidance_scale"]
    figures = score(pipeline, workdir, seed, steps, guidance)
    figures |= score_frames(pipeline, workdir, seed, steps, guidance)
    figures["seconds"] = seconds_per_picture(pipeline, steps, guidance)
    (workdir / "evaluation.json").write_text(json.dumps({"revision": defaults["revision"], **figures}, indent=2) + "\n")
    contact_sheet(pipeline, sheet, steps, guidance)
    return figures
