"""Whether files are those that somebody named: by the catalogue's hashes, and by the hub's at a download."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from contracts.errors import EaselError, ErrorCode

_SHA256 = re.compile(r"[0-9a-f]{64}")


def sha256_of(file: Path) -> str:
    """In hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def check_files(folder: Path, expected: Mapping[str, str]) -> None:
    """Return when each file, by its path in `folder`, has its SHA-256.

    Raises:
        EaselError: ENGINE_FAILED, with the first file that is missing or another.
    """
    for name, digest in expected.items():
        file = folder / name
        if not file.is_file():
            raise EaselError(ErrorCode.ENGINE_FAILED, f"{file} is missing: bring the model anew", param="model")
        if sha256_of(file) != digest:
            message = f"{file} is not the file that the catalogue names (SHA-256): bring the model anew"
            raise EaselError(ErrorCode.ENGINE_FAILED, message, param="model")


def blobs(repository: Path) -> frozenset[Path]:
    """The files of the hub's cache for one repository that are named by their SHA-256, as all large ones are."""
    return frozenset(file for file in (repository / "blobs").glob("*") if _SHA256.fullmatch(file.name))


def check_blobs(new: Iterable[Path]) -> None:
    """Return when what was downloaded is what the hub says it holds; another file is removed.

    Raises:
        EaselError: ENGINE_FAILED.
    """
    for blob in new:
        if sha256_of(blob) != blob.name:
            blob.unlink()
            message = "a download does not have the hash that the hub states, and was removed; fetch it again"
            raise EaselError(ErrorCode.ENGINE_FAILED, message, param="model")
