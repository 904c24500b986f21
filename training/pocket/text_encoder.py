"""CLIP text encoder, first taught to read: what, where, which colours. The denoiser then learns from clear words."""

from __future__ import annotations

import random
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from .captions import caption
from .checkpoint import Checkpoint, report
from .objects import COLOUR_NAMES, NAMES, SHAPES
from .scenes import CELLS, PLACES, RELATIONS, SIZES, SKIES, Spec, random_spec
from .tokenizer import MAX_LENGTH, load_tokenizer

WIDTH = 256
BATCH = 256
LEARNING_RATE = 1e-3
_NONE = "none"
#: one classification per attribute of a picture; the first answer of each means "not said"
_QUESTIONS: dict[str, tuple[str, ...]] = {
    "thing 0": (_NONE, *NAMES),
    "thing 1": (_NONE, *NAMES),
    "place": (_NONE, *PLACES),
    "sky": SKIES,
    "ground": (_NONE, *COLOUR_NAMES),
    "size": tuple(SIZES),
    "cell": CELLS,
    "relation": (_NONE, *RELATIONS),
    "form 0": (_NONE, *SHAPES),
    "form 1": (_NONE, *SHAPES),
    "colour 0": (_NONE, *COLOUR_NAMES),
    "colour 1": (_NONE, *COLOUR_NAMES),
    "sketch": ("no", "yes"),
}


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=4,
            num_attention_heads=4,
            max_position_embeddings=MAX_LENGTH,
            hidden_act="gelu",
            projection_dim=WIDTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def tokenize(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """Token ids (N, MAX_LENGTH), padded as the pipelines pad."""
    return tokenizer(texts, padding="max_length", max_length=MAX_LENGTH, truncation=True, return_tensors="pt").input_ids


def _canonical(spec: Spec) -> tuple[tuple, str | None]:
    """Shapes in drawing order, so that "a above b" and "b below a" have one answer."""
    if spec.relation in ("below", "right of"):
        return spec.shapes[::-1], {"below": "above", "right of": "left of"}[spec.relation]
    return spec.shapes, spec.relation


def answers(spec: Spec) -> list[int]:
    """The right answer to each question, as indices."""
    shapes, relation = _canonical(spec)
    said = {
        "place": spec.place,
        "sky": spec.sky,
        "ground": spec.colour,
        "size": spec.size,
        "cell": spec.cell,
        "relation": relation,
        "sketch": "yes" if spec.sketch else "no",
    }
    for index in (0, 1):
        said[f"thing {index}"] = spec.things[index] if len(spec.things) > index else None
        shape = shapes[index] if len(shapes) > index else None
        said[f"form {index}"], said[f"colour {index}"] = (shape.form, shape.colour) if shape else (None, None)
    return [options.index(said[question] or _NONE) for question, options in _QUESTIONS.items()]


class _Reader(nn.Module):
    """The encoder with one linear answer per question."""

    def __init__(self, encoder: CLIPTextModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleList(nn.Linear(WIDTH, len(options)) for options in _QUESTIONS.values())

    def forward(self, ids: torch.Tensor, position: torch.Tensor) -> list[torch.Tensor]:
        states = self.encoder(input_ids=ids).last_hidden_state
        state = states[torch.arange(len(ids)), position]
        return [head(state) for head in self.heads]


def _batch(tokenizer: CLIPTokenizer, rng: random.Random) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    specs = [random_spec(rng) for _ in range(BATCH)]
    ids = tokenize(tokenizer, [caption(spec, rng) for spec in specs])
    end = (ids == tokenizer.eos_token_id).int().argmax(1)
    # any position from the end token on must know everything: the denoiser looks at all of them
    position = end + (torch.rand(BATCH) * (MAX_LENGTH - end)).long()
    return ids, position, torch.tensor([answers(spec) for spec in specs])


def train_text_encoder(workdir: Path, steps: int, seed: int, device: str = "cpu") -> CLIPTextModel:
    torch.manual_seed(seed)
    tokenizer = load_tokenizer(workdir, seed)
    model = _Reader(build_text_encoder(tokenizer)).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    checkpoint = Checkpoint(workdir / "text_encoder.pt", model=model, optimizer=optimizer)
    start, clock = checkpoint.load(), time.monotonic()
    rng = random.Random(seed + start)
    for step in range(start, steps):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * min(1.0, (step + 1) / 100) * max(0.02, 1 - step / steps)
        ids, position, truth = (part.to(device) for part in _batch(tokenizer, rng))
        with torch.autocast(device, torch.bfloat16):
            logits = model(ids, position)
        losses = [functional.cross_entropy(answer.float(), truth[:, index]) for index, answer in enumerate(logits)]
        optimizer.zero_grad()
        sum(losses).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 50 == 49:
            right = torch.stack([answer.argmax(1) == truth[:, index] for index, answer in enumerate(logits)])
            report(
                "text encoder",
                step + 1,
                steps,
                (step + 1 - start) * BATCH / (time.monotonic() - clock),
                loss=sum(losses).item(),
                thing=right[0].float().mean().item(),
                all=right.all(0).float().mean().item(),
            )
            checkpoint.save_if_due(step + 1)
    checkpoint.save(steps)
    return model.encoder


def load_text_encoder(workdir: Path, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """The encoder as it was taught to read."""
    state = torch.load(workdir / "text_encoder.pt", weights_only=False)["model"]
    encoder = build_text_encoder(tokenizer)
    encoder.load_state_dict({name[8:]: value for name, value in state.items() if name.startswith("encoder.")})
    return encoder.eval()
