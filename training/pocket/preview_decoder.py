"""The preview network: what the exported model's decoder shows at half size, for little work."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import NamedTuple

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from services.diffusion.engines.preview_network import FILE, PreviewNetwork
from services.diffusion.engines.previews import StepWatch

from .captions import caption
from .checkpoint import Checkpoint, report
from .export import DEFAULTS
from .scenes import random_spec

_AT_ONCE, BATCH, LEARNING_RATE = 8, 16, 3e-3


class _Pairs(NamedTuple):
    """Predicted latents, and their pictures at half size."""

    latents: Tensor
    pictures: Tensor


def train_preview_decoder(workdir: Path, folder: Path, pictures: int, steps: int, seed: int) -> None:
    """Draw with the exported model, learn from what each step predicts, and put the network into the model's folder."""
    path = workdir / "previews.pt"
    if not path.exists():
        torch.save(tuple(_drawn(folder, pictures, seed)), path)
    pairs = _Pairs(*torch.load(path))
    torch.manual_seed(seed)
    network = PreviewNetwork(pairs.latents.shape[1])
    _train(workdir / "preview_network.pt", network, pairs, steps)
    (folder / FILE).parent.mkdir(exist_ok=True)
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, folder / FILE)


def _drawn(folder: Path, pictures: int, seed: int) -> _Pairs:
    pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    rng, found, clock = random.Random(f"{seed}/previews"), list[_Pairs](), time.monotonic()
    for first in range(0, pictures, _AT_ONCE):
        found.append(_some(pipeline, [caption(random_spec(rng), rng) for _ in range(_AT_ONCE)], first))
        done = first + _AT_ONCE
        report("previews", done, pictures, done / (time.monotonic() - clock))
    return _Pairs(torch.cat([it.latents for it in found]), torch.cat([it.pictures for it in found]))


@torch.no_grad()
def _some(pipeline: StableDiffusionPipeline, texts: list[str], seed: int) -> _Pairs:
    """What every second step predicts of one batch."""
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    watch, predicted = StepWatch(pipeline.scheduler), list[Tensor]()

    def keep(_pipeline: object, step: int, _time: object, values: dict[str, Tensor]) -> dict[str, Tensor]:
        if step % 2:
            predicted.append(watch.predicted() / pipeline.vae.config.scaling_factor)
        return values

    pipeline(
        texts,
        num_inference_steps=DEFAULTS["num_inference_steps"],
        guidance_scale=DEFAULTS["guidance_scale"],
        generator=[torch.Generator().manual_seed(seed + number) for number in range(len(texts))],
        output_type="latent",
        callback_on_step_end=keep,
    )
    shown = [functional.avg_pool2d(pipeline.vae.decode(latents).sample, 2) for latents in predicted]
    return _Pairs(torch.cat(predicted), torch.cat(shown))


def _train(path: Path, network: PreviewNetwork, pairs: _Pairs, steps: int) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    checkpoint = Checkpoint(path, model=network, optimizer=optimizer, schedule=schedule)
    start, clock = checkpoint.load(), time.monotonic()
    for step in range(start, steps):
        chosen = torch.randint(len(pairs.latents), (BATCH,))
        loss = functional.l1_loss(network(pairs.latents[chosen]), pairs.pictures[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            rate = (step + 1 - start) * BATCH / (time.monotonic() - clock)
            report("preview network", step + 1, steps, rate, loss=loss.item())
            checkpoint.save_if_due(step + 1)
    checkpoint.save(steps)
