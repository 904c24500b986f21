"""A denoiser of Stable Diffusion 1.5's shape with random weights at 512x512: seconds for a step with guidance.

Plain diffusers and OpenVINO are called directly, the engines as they call themselves. What is compared is in memory
together and takes turns, always beside plain diffusers in bfloat16: what else the machine does slows all of them alike.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import openvino as ov
import torch
import transformers

from benchmarks.diffusion_together import loaded_model
from benchmarks.figures import median, table
from services.diffusion.engines.batching.calls import Call, merged
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.factory import build_engine
from services.diffusion.engines.sample import sample_call
from services.diffusion.settings import DiffusionSettings
from tests.support import tiny_models

BATCHES = (1, 2, 4)
CHANNELS = (320, 640, 1280, 1280)
Step = Callable[[Sequence[Call]], Any]
OTHERS: dict[str, dict[str, Any]] = {
    "the engine on torch, float32": {"engine": "diffusers", "dtype": "float32"},
    "the engine on torch, compiled": {"engine": "diffusers", "compile": True},
    "the engine on OpenVINO, float32": {"engine": "openvino", "dtype": "float32"},
    "the engine on OpenVINO, static": {"engine": "openvino", "openvino_static": True},
    "the engine on OpenVINO, int8 weights": {"engine": "openvino", "openvino_weights": "int8"},
}
"""Beside the default, one picture at a time."""


def build_folder(folder: Path) -> Path:
    """SD 1.5's UNet; its text encoder is as wide as the real one and short, its VAE tiny: neither is timed."""
    tiny_models.build("stable-diffusion", folder)
    config = transformers.CLIPTextConfig(
        vocab_size=514,
        hidden_size=768,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=12,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
    )
    transformers.CLIPTextModel(config).eval().save_pretrained(folder / "text_encoder")
    unet = diffusers.UNet2DConditionModel(
        sample_size=64, block_out_channels=CHANNELS, cross_attention_dim=768, attention_head_dim=8
    )
    unet.half().save_pretrained(folder / "unet")
    limits = {"width": 512, "height": 512, "license": "none", "guidance_scale": 7.5}
    (folder / "easel.json").write_text(json.dumps(limits))
    return folder


YARDSTICK = "diffusers, bfloat16, channels last"
Ways = dict[str, Callable[[], Step]]


def full_size(scratch: Path, rounds: int) -> str:
    folder = build_folder(scratch / "sd15-shaped")
    call = sample_call(loaded_model(_built(folder, scratch, {})))
    plain: Ways = {YARDSTICK: lambda: _plain(folder, torch.bfloat16)}
    main = {
        "the engine's default": lambda: _engine(folder, scratch, {}),
        "OpenVINO, bfloat16": lambda: _openvino(scratch),
        "the engine on torch": lambda: _engine(folder, scratch, {"engine": "diffusers"}),
    }
    rows = _compared(plain | main, call, BATCHES, rounds)
    rows += _compared(plain | {"diffusers, float32": lambda: _plain(folder, torch.float32)}, call, (1,), rounds)[1:]
    for name, options in OTHERS.items():
        engine: Ways = {name: partial(_engine, folder, scratch, options)}
        rows += _compared(plain | engine, call, (1,), rounds)[1:]
    return table(["a step", "pictures", "least s", "median s", f"times {YARDSTICK} (median of rounds)"], rows)


def _compared(ways: Ways, call: Call, batches: Sequence[int], rounds: int) -> list[list[str]]:
    """A row for each way, the yardstick first."""
    steps = {name: make() for name, make in ways.items()}
    return [row for batch in batches for row in _in_turns(steps, [call] * batch, rounds)]


def _in_turns(steps: dict[str, Step], calls: list[Call], rounds: int) -> list[list[str]]:
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            seconds = _timed(step, calls)
            if turn:  # the first warms up
                taken[name].append(seconds)
    rows = []
    for name, times in taken.items():
        ratio = median([plain / own for plain, own in zip(taken[YARDSTICK], times, strict=True)])
        rows.append([name, str(len(calls)), f"{min(times):.2f}", f"{median(times):.2f}", f"{ratio:.2f}"])
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def _timed(step: Step, calls: list[Call]) -> float:
    began = time.perf_counter()
    with torch.inference_mode():
        step(calls)
    return time.perf_counter() - began


def _plain(folder: Path, dtype: torch.dtype) -> Step:
    unet = diffusers.UNet2DConditionModel.from_pretrained(folder / "unet", dtype=dtype)
    if dtype != torch.float32:
        unet.to(memory_format=torch.channels_last)

    def step(calls: Sequence[Call]) -> Any:
        given = {name: _cast(value, dtype) for name, value in merged(calls).items()}
        return unet(**given)

    return step


def _cast(value: Any, dtype: torch.dtype) -> Any:
    return value.to(dtype) if isinstance(value, torch.Tensor) and value.dim() > 1 else value


def _built(folder: Path, scratch: Path, options: dict[str, Any]) -> DiffusersEngine:
    settings = DiffusionSettings(models=(str(folder),), device="cpu", cache_dir=str(scratch), max_batch="1", **options)
    engine = build_engine(settings)
    assert isinstance(engine, DiffusersEngine)
    engine.load(engine.models[0].id)
    return engine


def _engine(folder: Path, scratch: Path, options: dict[str, Any]) -> Step:
    engine = _built(folder, scratch, options)
    loaded = loaded_model(engine)

    def step(calls: Sequence[Call]) -> Any:
        cast = [Call({n: _cast(v, loaded.denoiser.dtype) for n, v in it.arguments.items()}, it.rows, 0) for it in calls]
        return loaded.beside(None, lambda: loaded.run(cast))

    return step


def _openvino(scratch: Path) -> Step:
    (graph,) = scratch.glob("openvino/*/denoiser.xml")
    compiled = ov.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "bf16"})

    def step(calls: Sequence[Call]) -> Any:
        given = merged(calls)
        sample, times = given["sample"].float(), torch.as_tensor(given["timestep"]).float().reshape(-1)
        feed = {
            "sample": sample.numpy(),
            "timestep": times.expand(len(sample)).contiguous().numpy(),
            "encoder_hidden_states": given["encoder_hidden_states"].float().numpy(),
        }
        return compiled(feed)

    return step
