"""One command: ``python -m training.pocket all --workdir DIR``. Every step resumes where it was stopped."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch

from .artwork import fetch_artwork
from .autoencoder import refine_decoder, train_autoencoder
from .classifier import train_judge
from .denoiser import train_denoiser
from .evaluate import evaluate
from .export import export
from .latents import make_latents
from .preview_decoder import train_preview_decoder
from .restore import restore
from .sprites import load_sprites
from .text_encoder import train_text_encoder

_ROOT = Path(__file__).resolve().parents[2]
_MODEL = _ROOT / "services/diffusion/models/pocket"
_SHEET = _ROOT / "docs/models/pocket/contact-sheet.png"
#: in the order they must run
_STEPS = (
    "sprites",
    "autoencoder",
    "text-encoder",
    "latents",
    "denoiser",
    "decoder",
    "judge",
    "export",
    "previews",
    "evaluate",
)


def run(step: str, options: argparse.Namespace) -> None:
    workdir, model, seed, device = options.workdir, options.model, options.seed, options.device
    actions: dict[str, Callable[[], None]] = {
        "sprites": lambda: _sprites(workdir),
        "restore": lambda: restore(workdir, model),
        "autoencoder": lambda: train_autoencoder(workdir, options.autoencoder_steps, seed, device),
        "text-encoder": lambda: train_text_encoder(workdir, options.text_encoder_steps, seed, device),
        "latents": lambda: make_latents(workdir, options.pictures, seed, device),
        "denoiser": lambda: train_denoiser(workdir, options.denoiser_steps, seed, device),
        "decoder": lambda: refine_decoder(workdir, options.decoder_steps, seed, device),
        "judge": lambda: train_judge(workdir, options.judge_steps, seed),
        "export": lambda: export(workdir, model, seed),
        "previews": lambda: train_preview_decoder(
            workdir, model, options.preview_pictures, options.preview_steps, seed
        ),
        "evaluate": lambda: print(json.dumps(evaluate(workdir, model, options.sheet, seed), indent=2)),
    }
    actions[step]()


def _sprites(workdir: Path) -> None:
    fetch_artwork(workdir / "artwork")
    load_sprites(workdir)


def main() -> None:
    parser = argparse.ArgumentParser(prog="training.pocket", description=__doc__)
    parser.add_argument("step", choices=("all", "restore", *_STEPS))
    parser.add_argument("--workdir", type=Path, required=True, help="artwork, latents and checkpoints, a few GB")
    parser.add_argument("--model", type=Path, default=_MODEL, help="the exported model folder")
    parser.add_argument("--sheet", type=Path, default=_SHEET, help="the contact sheet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads, 0 for all cores")
    parser.add_argument("--autoencoder-steps", type=int, default=1600)
    parser.add_argument("--decoder-steps", type=int, default=600)
    parser.add_argument("--text-encoder-steps", type=int, default=470)
    parser.add_argument("--pictures", type=int, default=12_000)
    parser.add_argument("--denoiser-steps", type=int, default=6000)
    parser.add_argument("--judge-steps", type=int, default=400)
    parser.add_argument("--preview-pictures", type=int, default=240)
    parser.add_argument("--preview-steps", type=int, default=3000)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    options.workdir.mkdir(parents=True, exist_ok=True)
    for step in _STEPS if options.step == "all" else (options.step,):
        run(step, options)


if __name__ == "__main__":
    main()
