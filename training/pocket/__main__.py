"""One command: ``python -m training.pocket all --workdir DIR``. Every step resumes where it was stopped."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from .artwork import fetch_artwork
from .autoencoder import refine_decoder, train_autoencoder
from .classifier import train_judge
from .denoiser import train_denoiser
from .evaluate import evaluate
from .export import export
from .latents import make_latents
from .restore import restore
from .sprites import load_sprites
from .text_encoder import train_text_encoder

_ROOT = Path(__file__).resolve().parents[2]
_MODEL = _ROOT / "services/diffusion/models/pocket"
_SHEET = _ROOT / "docs/models/pocket/contact-sheet.png"
#: in the order they must run
_STEPS = ("sprites", "autoencoder", "text-encoder", "latents", "denoiser", "decoder", "judge", "export", "evaluate")


def run(step: str, options: argparse.Namespace) -> None:
    workdir, seed, device = options.workdir, options.seed, options.device
    if step == "sprites":
        fetch_artwork(workdir / "artwork")
        load_sprites(workdir)
    elif step == "restore":
        restore(workdir, options.model)
    elif step == "autoencoder":
        train_autoencoder(workdir, options.autoencoder_steps, seed, device)
    elif step == "text-encoder":
        train_text_encoder(workdir, options.text_encoder_steps, seed, device)
    elif step == "latents":
        make_latents(workdir, options.pictures, seed, device)
    elif step == "denoiser":
        train_denoiser(workdir, options.denoiser_steps, seed, device)
    elif step == "decoder":
        refine_decoder(workdir, options.decoder_steps, seed, device)
    elif step == "judge":
        train_judge(workdir, options.judge_steps, seed)
    elif step == "export":
        export(workdir, options.model, seed)
    else:
        print(json.dumps(evaluate(workdir, options.model, options.sheet, seed), indent=2))


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
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    options.workdir.mkdir(parents=True, exist_ok=True)
    for step in _STEPS if options.step == "all" else (options.step,):
        run(step, options)


if __name__ == "__main__":
    main()
