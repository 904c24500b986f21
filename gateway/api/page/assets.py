"""The page's files, read once: they are few, small and part of the package."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2] / "web"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy: nothing but our own files runs, and pictures come as blobs."""
_TYPES = {".js": "text/javascript", ".woff2": "font/woff2"}
_HIDDEN = {"LICENSE"}


class Asset(NamedTuple):
    """One file as it is served."""

    data: bytes
    content_type: str
    etag: str


def load(root: Path = ROOT) -> dict[str, Asset]:
    """Every file of the page by its path under `root`."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and path.name not in _HIDDEN)
    return {path.relative_to(root).as_posix(): _asset(path) for path in files}


def _asset(path: Path) -> Asset:
    data = path.read_bytes()
    guessed = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    etag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
    return Asset(data, guessed, etag)
