"""`python -m tools.edge_models small FOLDER | export MODEL FOLDER`."""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    """Write one folder."""
    parser = argparse.ArgumentParser(prog="python -m tools.edge_models", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    small = verbs.add_parser("small", help="graphs of a few kilobytes with the names, shapes and types of SD 1.5 LCM's")
    small.add_argument("--suffix", choices=(".onnx", ".axmodel"), default=".onnx", help="of the files; default .onnx")
    export = verbs.add_parser("export", help="a model of our own making in diffusers format, split as Axera splits")
    export.add_argument("model", type=Path, help="folder in diffusers format")
    for verb in (small, export):
        verb.add_argument("folder", type=Path, help="where to write")
    wanted = parser.parse_args()
    if wanted.verb == "small":
        from tools.edge_models.small import write_small_model  # noqa: PLC0415  needs onnx alone

        write_small_model(wanted.folder, suffix=wanted.suffix)
    else:
        from tools.edge_models.export import export_model  # noqa: PLC0415  needs torch

        export_model(wanted.model, wanted.folder)


if __name__ == "__main__":
    main()
