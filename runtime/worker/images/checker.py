"""What looks at pictures before they are stored, as the operator chose; what cannot be checked is not kept."""

from __future__ import annotations

import importlib
import io
import shlex
import subprocess
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import structlog
from PIL import Image

from contracts.errors import EaselError, ErrorCode
from runtime.process.safety import REFUSED, SafetySettings
from runtime.process.settings import SettingsError

log = structlog.get_logger()

Look = Callable[[list[Image.Image]], Sequence[bool]]
"""For each RGB picture, whether it must not be shown."""
MakeLook = Callable[[str], Look]
"""What stands behind the kind in EASEL_SAFETY_CHECKER -> the look.

Raises:
    SettingsError: it is not there.
"""
COMMAND_FLAGS = 1
"""Exit status of a command that objects; 0 where it does not, anything else is a failure of its own."""


class PictureChecker:
    """Refuses pictures that its look objects to."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def check(self, images: list[Image.Image]) -> None:
        """Return when all may be stored.

        Raises:
            EaselError: CONTENT_REFUSED; ENGINE_FAILED when the look failed.
        """
        try:
            flagged = [number for number, bad in enumerate(self._verdicts(images), 1) if bad]
        except Exception as fault:
            log.exception("the safety checker failed")
            message = "the safety checker of this server failed, so nothing was kept; the worker's log says why"
            raise EaselError(ErrorCode.ENGINE_FAILED, message) from fault
        if flagged:
            REFUSED.labels("checker").inc()
            which = f"picture {flagged[0]} of {len(images)}" if len(images) > 1 else "the picture"
            message = f"{which} was refused by the safety checker of this server; nothing of this job was kept"
            raise EaselError(ErrorCode.CONTENT_REFUSED, message)

    def _verdicts(self, images: list[Image.Image]) -> Sequence[bool]:
        verdicts = self._look(images)
        if len(verdicts) != len(images):
            raise ValueError(f"{len(verdicts)} verdicts on {len(images)} pictures")
        return verdicts


def make_checker(settings: SafetySettings, kinds: Mapping[str, MakeLook] | None = None) -> PictureChecker | None:
    """The checker that `settings` name; None for none. `kinds` are those that a service adds.

    Raises:
        SettingsError: it is not there, or this service has no such kind.
    """
    if not settings.checker:
        return None
    kind, _, rest = settings.checker.partition(":")
    known: dict[str, MakeLook] = {
        "python": _python,
        "command": lambda words: _command(words, settings.checker_timeout_s),
        **dict.fromkeys(("http", "https"), lambda _: _service(settings.checker, settings.checker_timeout_s)),
        **(kinds or {}),
    }
    if kind not in known:
        raise SettingsError([f"EASEL_SAFETY_CHECKER={settings.checker}: here it may be {', '.join(known)}"])
    return PictureChecker(known[kind](rest))


def _python(name: str) -> Look:
    module, _, attribute = name.partition(":")
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as fault:
        raise SettingsError([f"EASEL_SAFETY_CHECKER=python:{name} cannot be imported: {fault}"]) from fault
    return found  # type: ignore[no-any-return]


def _command(words: str, timeout_s: float) -> Look:
    try:
        argv = shlex.split(words)
    except ValueError as fault:
        raise SettingsError([f"EASEL_SAFETY_CHECKER=command:{words} is no command: {fault}"]) from fault

    def objects(image: Image.Image) -> bool:
        ended = subprocess.run(argv, input=_png(image), capture_output=True, timeout=timeout_s, check=False)  # noqa: S603  the operator's own
        if ended.returncode not in (0, COMMAND_FLAGS):
            raise OSError(
                f"{argv[0]} ended with status {ended.returncode}: {ended.stderr[-500:].decode(errors='replace')}"
            )
        return ended.returncode == COMMAND_FLAGS

    return lambda images: [objects(image) for image in images]


class _Verdict(msgspec.Struct):
    flagged: bool


def _service(url: str, timeout_s: float) -> Look:
    def objects(image: Image.Image) -> bool:
        asked = urllib.request.Request(url, _png(image), {"Content-Type": "image/png"})  # noqa: S310  the operator's own
        with urllib.request.urlopen(asked, timeout=timeout_s) as answer:  # noqa: S310
            return msgspec.json.decode(answer.read(), type=_Verdict).flagged

    return lambda images: [objects(image) for image in images]


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()
