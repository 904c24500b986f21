"""Seconds and memory of a full-size model in a process of its own: loading and a first step, decoding a large picture.

`python -m benchmarks.diffusion_memory load ENGINE FOLDER CACHE` and `… decode TILING` measure one; the tables ask for
all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.figures import table
from tests.support.memory import peak_bytes

SIDE = 1024
"""Pixels of the picture that is decoded by a VAE trained at half of it."""
DECODES = 3


def loading(engines: list[str], folder: Path, cache: Path) -> str:
    rows = []
    for name in engines:
        first, later = (_in_process("load", name, str(folder), str(cache)) for _ in range(2))
        rows.append([name, f"{first['seconds']:.1f}", f"{later['seconds']:.1f}", f"{later['peak']:.0f}"])
    return table(["engine", "first loading and a step, s", "later ones, s", "most memory, MB"], rows)


def decoding() -> str:
    rows = []
    for tiling in ("never", "auto", "always"):
        seen = _in_process("decode", tiling)
        rows.append([tiling, f"{seen['seconds']:.1f}", f"{seen['peak']:.0f}"])
    return table([f"EASEL_DIFFUSION_VAE_TILING, {SIDE}x{SIDE}", "least s", "memory for it, MB"], rows)


def _in_process(*arguments: str) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.diffusion_memory", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _peak() -> float:
    """10^6 bytes, so far; not `ru_maxrss`, which a child process has from its parent."""
    return peak_bytes(os.getpid()) / 1e6


def _load(name: str, folder: str, cache: str) -> dict[str, float]:
    from benchmarks.diffusion import ENGINES, Asked, build  # noqa: PLC0415  its import is part of loading
    from benchmarks.diffusion_together import loaded_model  # noqa: PLC0415  as above
    from services.diffusion.engines.sample import sample_call  # noqa: PLC0415  as above

    began = time.perf_counter()
    loaded = loaded_model(build({**ENGINES[name], "max_batch": "1"}, Asked(folder, 1, cache)))
    call = sample_call(loaded)
    loaded.beside(None, lambda: loaded.run([call]))
    return {"seconds": time.perf_counter() - began, "peak": _peak()}


def _decode(tiling: Any) -> dict[str, float]:
    import diffusers  # noqa: PLC0415  not in the process that measures loading

    from services.diffusion.engines.torch_tuning import tile  # noqa: PLC0415  as above

    vae = diffusers.AutoencoderKL(
        latent_channels=4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        sample_size=SIDE // 2,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    vae = vae.eval().to(torch.bfloat16).to(memory_format=torch.channels_last)
    tile(vae, tiling)
    latents, before, taken = torch.randn(1, 4, SIDE // 8, SIDE // 8, dtype=vae.dtype), _peak(), list[float]()
    with torch.inference_mode():
        for _ in range(DECODES):
            began = time.perf_counter()
            vae.decode(latents)
            taken.append(time.perf_counter() - began)
    return {"seconds": min(taken), "peak": _peak() - before}


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    print(json.dumps(_load(*given) if what == "load" else _decode(*given)), flush=True)
    os._exit(0)  # as the worker ends; OpenVINO was seen to crash while Python tore it down
