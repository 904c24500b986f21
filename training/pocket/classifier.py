"""The judge: a small convolutional classifier of things, places and skies, trained on composed pictures only."""

from __future__ import annotations

import random
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from .checkpoint import Checkpoint, report
from .objects import NAMES
from .scenes import PLACES, SKIES, Spec, compose, random_spec
from .sprites import load_sprites

INPUT = 64
BATCH = 96
PICTURES = 6000
LEARNING_RATE = 2e-3
_GROUNDS = (None, *PLACES)


def shrink(pictures: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) uint8 to the judge's (N, 64, 64, 3) uint8."""
    return np.stack([np.asarray(Image.fromarray(p).resize((INPUT, INPUT), Image.Resampling.BOX)) for p in pictures])


class Judge(nn.Module):
    """Answers which thing, which place and which sky of (N, 3, 64, 64) pictures in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        widths, layers = (3, 32, 64, 128, 192), []
        for before, after in pairwise(widths):
            layers += [
                nn.Conv2d(before, after, 3, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.Conv2d(after, after, 3, stride=2, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.trunk = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(widths[-1] * 16, 384), nn.ReLU())
        self.heads = nn.ModuleList(nn.Linear(384, size) for size in (len(NAMES), len(_GROUNDS), len(SKIES)))

    def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        features = self.trunk(pictures)
        return [head(features) for head in self.heads]


def _draw(seed: int, sprites: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of one thing each, and their truths (N, 3). Both sides of the split: the judge must know every pairing."""
    rng, pictures, truths = random.Random(f"{seed}/judge"), [], []
    while len(pictures) < PICTURES:
        spec = random_spec(rng, held_out=rng.random() < 0.3)
        if len(spec.things) == 1 and not spec.sketch:
            pictures.append(shrink(compose(spec, sprites, rng)[None])[0])
            truths.append((NAMES.index(spec.things[0]), _GROUNDS.index(spec.place), SKIES.index(spec.sky)))
    return np.stack(pictures), np.array(truths)


def _as_input(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def _worn(pictures: torch.Tensor) -> torch.Tensor:
    """Shifted, blurred and noisy, as generated pictures may be."""
    dy, dx = (int(v) for v in torch.randint(-4, 5, (2,)))
    pictures = functional.pad(pictures, (4, 4, 4, 4), mode="replicate")[
        ..., 4 + dy : 4 + dy + INPUT, 4 + dx : 4 + dx + INPUT
    ]
    blurred = functional.avg_pool2d(functional.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    amount = torch.rand(len(pictures), 1, 1, 1)
    return torch.lerp(pictures, blurred, amount) + 0.1 * torch.rand(len(pictures), 1, 1, 1) * torch.randn_like(pictures)


def train_judge(workdir: Path, steps: int, seed: int) -> None:
    torch.manual_seed(seed)
    model = Judge().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.02)
    checkpoint = Checkpoint(workdir / "judge.pt", model=model, optimizer=optimizer)
    start = checkpoint.load()
    if start >= steps:
        return
    pictures, truths = _draw(seed, load_sprites(workdir))
    inputs, answers, clock = _as_input(pictures), torch.from_numpy(truths), time.monotonic()
    for step in range(start, steps):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * max(0.02, 1 - step / steps)
        chosen = torch.randint(0, len(inputs), (BATCH,))
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(_worn(inputs[chosen]).contiguous(memory_format=torch.channels_last))
        loss = sum(
            functional.cross_entropy(answer.float(), answers[chosen, index]) for index, answer in enumerate(logits)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 49:
            right = (logits[0].argmax(1) == answers[chosen, 0]).float().mean().item()
            report(
                "judge",
                step + 1,
                steps,
                (step + 1 - start) * BATCH / (time.monotonic() - clock),
                loss=loss.item(),
                thing=right,
            )
            checkpoint.save_if_due(step + 1)
    checkpoint.save(steps)


def load_judge(workdir: Path) -> Judge:
    model = Judge()
    model.load_state_dict(torch.load(workdir / "judge.pt", weights_only=False)["model"])
    return model.eval()


@torch.inference_mode()
def judge(model: Judge, pictures: np.ndarray) -> list[Spec]:
    """What the judge sees in (N, H, W, 3) uint8 pictures: one thing, a place and a sky each."""
    things, places, skies = (answer.argmax(1).tolist() for answer in model(_as_input(shrink(pictures))))
    return [
        Spec(things=(NAMES[t],), place=_GROUNDS[p], sky=SKIES[s]) for t, p, s in zip(things, places, skies, strict=True)
    ]
