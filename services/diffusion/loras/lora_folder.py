"""The folder of LoRA files, as it is now."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import structlog

from contracts.errors import EaselError, ErrorCode
from contracts.images import Lora, ModelInfo
from runtime.process.folders import default_data_dir
from services.diffusion.catalogue import Model
from services.diffusion.loras.lora_file import LoraFile, read_lora
from services.diffusion.model_folder import PICKLES

log = structlog.get_logger()

SUFFIX = ".safetensors"
RESERVED = frozenset(":,<>")
"""What stands around names where people write them."""
LOOK_EVERY_S = 5.0
"""Seconds for which the list is believed."""


def lora_dir(stated: str, environ: Mapping[str, str]) -> Path:
    """Where LoRA files are: as stated, or where this machine's user keeps what outlives processes."""
    return Path(stated).expanduser() if stated else default_data_dir(environ) / "loras"


class LoraFolder:
    """Files by name: their path in the folder without the suffix. None when there is no folder. Safe from any thread.

    A file that is no LoRA is left out, and the log says why, once.
    """

    def __init__(self, folder: Path | None = None, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._folder = folder
        self._look_every = look_every_s
        self._looked = -float("inf")
        self._lock = threading.Lock()
        self._files: Mapping[str, LoraFile] = {}
        self._refused: set[tuple[Path, int]] = set()

    @property
    def files(self) -> Mapping[str, LoraFile]:
        """The same object until something has changed."""
        with self._lock:
            if self._folder is not None and time.monotonic() - self._looked >= self._look_every:
                found = self._look(self._folder)
                if found != self._files:
                    self._files = found
                self._looked = time.monotonic()
            return self._files

    def offered(self, model: Model) -> ModelInfo:
        """What is announced of a model, with the LoRAs that fit it now."""
        names = tuple(name for name, file in self.files.items() if file.fits(model))
        return msgspec.structs.replace(model.info, loras=names)

    def find(self, lora: Lora, model: ModelInfo) -> LoraFile:
        """The file of a LoRA that was offered.

        Raises:
            EaselError: UNSUPPORTED, somebody took it away.
        """
        file = self.files.get(lora.name)
        if file is None:
            message = f"the LoRA {lora.name!r} for {model.id} is no longer there"
            raise EaselError(ErrorCode.UNSUPPORTED, message, param="loras")
        return file

    def _look(self, folder: Path) -> dict[str, LoraFile]:
        found: dict[str, LoraFile] = {}
        for place, _, files in os.walk(folder):
            for path in (Path(place, file) for file in files):
                if path.suffix == SUFFIX:
                    name = path.relative_to(folder).with_suffix("").as_posix()
                    file = self._read(name, path)
                    if file is not None:
                        found[name] = file
                elif path.suffix in PICKLES:
                    self._refuse(path, 0, "pickled weights can run code and are never loaded: convert to safetensors")
        return dict(sorted(found.items()))

    def _read(self, name: str, path: Path) -> LoraFile | None:
        if not name.isprintable() or RESERVED & set(name):
            self._refuse(path, 0, f"a name has none of {' '.join(sorted(RESERVED))} and no line breaks: rename it")
            return None
        try:
            changed = path.stat().st_mtime_ns
            known = self._files.get(name)
            if known is not None and known.changed_ns == changed:
                return known
            return None if (path, changed) in self._refused else read_lora(name, path)
        except EaselError as refusal:
            self._refuse(path, changed, refusal.message)
        except OSError as fault:
            self._refuse(path, 0, str(fault))
        return None

    def _refuse(self, path: Path, changed: int, why: str) -> None:
        if (path, changed) not in self._refused:
            self._refused.add((path, changed))
            log.warning("not a LoRA for Easel", file=str(path), why=why)
