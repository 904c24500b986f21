"""LoRA files with random weights for the tiny models, in the spellings that trainers use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

RANK = 2
STRENGTH = 0.3
"""Of the random numbers: enough to change every picture."""
_KOHYA = {"unet": "lora_unet", "text_encoder": "lora_te", "text_encoder_2": "lora_te2"}


def build(
    pipe: Any, file: Path, *, seed: int = 1, parts: Sequence[str] = (), spelling: str = "diffusers", rank: int = RANK
) -> Path:
    """Write a LoRA for the linear layers and convolutions of `parts` of `pipe`; of all that can have one if empty.

    `spelling` is `diffusers` (PEFT's matrices by diffusers' names) or `kohya` (flat names, with alphas).
    """
    random, weights = torch.Generator().manual_seed(seed), dict[str, torch.Tensor]()
    for part in parts or [it for it in pipe._lora_loadable_modules if it in pipe.components]:
        for path, down, up in _matrices(pipe.components[part], rank, random):
            if spelling == "kohya":
                if part == "unet" and ".attentions." not in path:
                    continue  # its trainers leave those out unless told otherwise
                name = f"{_kohya_part(part, pipe)}_{_kohya_path(path, part)}"
                weights |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
                weights[f"{name}.alpha"] = torch.tensor(rank / 2)
            else:
                weights |= {f"{part}.{path}.lora_A.weight": down, f"{part}.{path}.lora_B.weight": up}
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, file)
    return file


def _kohya_part(part: str, pipe: Any) -> str:
    return "lora_te1" if part == "text_encoder" and "text_encoder_2" in pipe.components else _KOHYA[part]


def _kohya_path(path: str, part: str) -> str:
    """kohya's trainers know CLIP as it was before transformers 5 took a level out."""
    older = f"text_model.{path}" if part.startswith("text_encoder") and not path.startswith("text_") else path
    return older.replace(".", "_")


def _matrices(module: Any, rank: int, random: torch.Generator) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    for path, layer in module.named_modules():
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d):
            outputs, *inputs = layer.weight.shape
            down = torch.randn(rank, *inputs, generator=random) * STRENGTH
            up = torch.randn(outputs, rank, *[1] * (len(inputs) - 1), generator=random) * STRENGTH
            yield path, down, up
