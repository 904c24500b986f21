"""A denoiser of Stable Diffusion 1.5's shape with random weights at 512x512: seconds for a step with guidance.

Plain diffusers and OpenVINO are called directly, the engines as they call themselves. One is in memory at a time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import diffusers
import openvino as ov
import torch
import transformers

from benchmarks.diffusion_together import loaded_model
from benchmarks.figures import table
from services.diffusion.engines.batching.calls import Call, merged
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.factory import build_engine
from services.diffusion.engines.sample import sample_call
from services.diffusion.settings import DiffusionSettings
from tests.support import tiny_models

BATCHES = (1, 2, 4)
CHANNELS = (320, 640, 1280, 1280)
Step = Callable[[Sequence[Call]], Any]


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


def full_size(scratch: Path, rounds: int) -> str:
    folder = build_folder(scratch / "sd15-shaped")
    ways: dict[str, Callable[[], Step]] = {
        "diffusers, float32": lambda: _plain(folder, torch.float32),
        "diffusers, bfloat16, channels last": lambda: _plain(folder, torch.bfloat16),
        "the engine's default": lambda: _engine(folder, scratch, {}),
        "the engine on OpenVINO": lambda: _engine(folder, scratch, {"engine": "openvino"}),
        "OpenVINO, bfloat16": lambda: _openvino(scratch),
    }
    call = sample_call(loaded_model(_built(folder, scratch, {})))
    rows = []
    for name, make in ways.items():
        step = make()
        rows.append([name, *(f"{_seconds(step, [call] * batch, rounds):.2f}" for batch in BATCHES)])
        print(rows[-1], flush=True)
        del step
    return table(["a step, s, of so many pictures at once", *map(str, BATCHES)], rows)


def _seconds(step: Step, calls: list[Call], rounds: int) -> float:
    return min(_timed(step, calls) for _ in range(rounds + 1))


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
