"""Which engine draws each model fastest on this machine, as found at its first load; kept with the converted models."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import structlog

log = structlog.get_logger()

_FILE, _LOCK = "engines.json", "engines.lock"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What was found for one model, on one machine, with one set of versions and settings."""

    model: str
    circumstances: str
    """All that the finding depends on, in words; measured anew when one of them changes."""
    engine: str
    step_s: dict[str, float]
    """Seconds for a step of one picture, by engine."""


class Choices:
    """In a folder that all workers of a machine share. A file that cannot be read or written is as good as none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> tuple[Choice, ...]:
        """The newest last."""
        try:
            return tuple(msgspec.json.decode((self._folder / _FILE).read_bytes(), type=list[Choice]))
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError) as fault:
            log.warning("measured anew: the file cannot be read", file=str(self._folder / _FILE), fault=str(fault))
            return ()

    def find(self, model: str) -> Choice | None:
        """What was found for a model last."""
        return next((it for it in self.all() if it.model == model), None)

    def keep(self, choice: Choice) -> None:
        """In the place of what was found for this model before. To be called within `measuring`."""
        others = [it for it in self.all() if it.model != choice.model]
        made = self._folder / f"{_FILE}.{os.getpid()}"
        try:
            made.write_bytes(msgspec.json.format(msgspec.json.encode([*others, choice])) + b"\n")
            made.replace(self._folder / _FILE)
        except OSError as fault:
            log.warning("measured anew at the next start: EASEL_DIFFUSION_CACHE_DIR takes no file", fault=str(fault))

    @contextlib.contextmanager
    def measuring(self) -> Iterator[None]:
        """One process at a time: two that measure beside each other would measure each other."""
        from filelock import FileLock  # noqa: PLC0415  whoever only reads may do without

        with contextlib.ExitStack() as stack:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(FileLock(self._folder / _LOCK))
            except (OSError, NotImplementedError) as fault:  # filelock's word for a file system without locks
                log.warning("other workers may measure at the same time: no lock", fault=str(fault))
            yield


def cache_folder(given: str, environ: Mapping[str, str]) -> Path:
    """`given`, else `$XDG_CACHE_HOME/easel` or `~/.cache/easel` (XDG base directory specification)."""
    if given:
        return Path(given).expanduser()
    shared = Path(environ.get("XDG_CACHE_HOME", ""))
    return (shared if shared.is_absolute() else Path.home() / ".cache") / "easel"
