"""A finished picture inside the terminal, by the best means that it has: kitty's, sixel, or coloured half blocks."""

from __future__ import annotations

import io
import os
import sys

COLUMNS = 48
"""Widest; a picture is there to be recognised, not studied."""


def can_show() -> bool:
    """Whether somebody looks at stdout, and at a terminal that has colours."""
    if not (sys.stdout.isatty() and sys.stdin.isatty() and os.get_terminal_size(sys.stdout.fileno()).columns):
        return False
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    return not plain


def show(data: bytes) -> None:
    """Print the picture in `data`."""
    from PIL import Image
    from rich.console import Console
    from textual_image.renderable import Image as Renderable  # asks the terminal what it can when it is imported

    console = Console()
    with Image.open(io.BytesIO(data)) as picture:
        console.print(Renderable(picture.convert("RGB"), width=min(COLUMNS, console.width), height="auto"))
