"""What is not drawn: the operator's settings, and the list of words that prompts may not hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Self

import msgspec
from msgspec import Meta
from prometheus_client import Counter

from contracts.errors import EaselError, ErrorCode
from runtime.process.settings import SettingsError

REFUSED = Counter(
    "t2i_refused", "Requests refused for what they ask to see, or for what was drawn (by: blocklist, checker).", ["by"]
)


class SafetySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Of gateways, which refuse before anything waits, and of workers, which see enhanced prompts and pictures."""

    prompt_blocklist: Annotated[
        str,
        Meta(
            description="File of words that prompts may not hold: on each line a word, a phrase, or a /regular "
            "expression/. Empty: every prompt is drawn.",
            extra={"env": ("EASEL_SAFETY_PROMPT_BLOCKLIST",)},
        ),
    ] = ""
    checker: Annotated[
        str,
        Meta(
            pattern="^((python|command|diffusers):.+|https?://.+)?$",
            description="What looks at every picture before it is stored: `python:module:function`, "
            "`command:program arguments`, the address of an HTTP service, or `diffusers:FOLDER` of a "
            "StableDiffusionSafetyChecker. Empty: none.",
            extra={"env": ("EASEL_SAFETY_CHECKER",)},
        ),
    ] = ""
    checker_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Seconds that a command or a service may take for one picture; then the job fails and nothing "
            "is stored.",
            extra={"env": ("EASEL_SAFETY_CHECKER_TIMEOUT_S",)},
        ),
    ] = 30.0


class PromptBlocklist:
    """Words, phrases and regular expressions; spelling in other cases, widths or with invisible letters is the same.

    A word is found as a word, not within another; in scripts that write without spaces, anywhere.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        """Of one entry a line; empty ones and those that begin with `#` say nothing.

        Raises:
            SettingsError: a regular expression is none.
        """
        said = [line.strip() for line in lines]
        entries = [line for line in said if line and not line.startswith("#")]
        self._patterns = [_pattern(entry) for entry in entries]

    @classmethod
    def read(cls, file: str) -> Self:
        """The list in `file`; an empty one where no file is named.

        Raises:
            SettingsError: the file cannot be read, or an entry is wrong.
        """
        if not file:
            return cls()
        try:
            return cls(Path(file).expanduser().read_text(encoding="utf-8").splitlines())
        except (OSError, UnicodeDecodeError) as fault:
            raise SettingsError([f"EASEL_SAFETY_PROMPT_BLOCKLIST={file} cannot be read: {fault}"]) from fault

    def check(self, prompt: str) -> None:
        """Refuse a prompt. The refusal does not say which entry it met: logs keep no prompts, and lists are not told.

        Raises:
            EaselError: CONTENT_REFUSED.
        """
        text = _normal(prompt)
        if any(pattern.search(text) for pattern in self._patterns):
            REFUSED.labels("blocklist").inc()
            message = "the prompt asks for something that this server does not draw; nothing was drawn"
            raise EaselError(ErrorCode.CONTENT_REFUSED, message, param="prompt")


EVERY_PROMPT = PromptBlocklist()


def _pattern(entry: str) -> re.Pattern[str]:
    if len(entry) > 2 and entry.startswith("/") and entry.endswith("/"):  # noqa: PLR2004  something between
        try:
            return re.compile(entry[1:-1], re.IGNORECASE)
        except re.error as fault:
            raise SettingsError(
                [f"EASEL_SAFETY_PROMPT_BLOCKLIST: {entry} is no regular expression: {fault}"]
            ) from fault
    word = _normal(entry)
    before = r"(?<!\w)" if _stands_alone(word[:1]) else ""
    after = r"(?!\w)" if _stands_alone(word[-1:]) else ""
    return re.compile(before + re.escape(word) + after)


def _stands_alone(letter: str) -> bool:
    """Whether words that end in it are set apart by spaces: not so in scripts without upper and lower case."""
    return letter.isalnum() and unicodedata.category(letter) != "Lo"


def _normal(text: str) -> str:
    """Case, width, invisible letters and runs of spaces make no difference."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    seen = "".join(letter for letter in plain if unicodedata.category(letter) != "Cf")
    return " ".join(seen.split())
