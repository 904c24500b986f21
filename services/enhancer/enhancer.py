"""From a prompt to a better one: ask, check, ask once more, make do. Whatever comes back says what was asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

import structlog

from contracts.errors import EaselError, ErrorCode
from contracts.images import MAX_PROMPT_CHARACTERS
from contracts.prompts import EnhancedPrompt, EnhancePrompt, PromptSource
from services.enhancer.checking import faults, fitting_phrases, with_phrases
from services.enhancer.engines.language_model import LanguageModel, OnText, Task
from services.enhancer.profiles import Profile, profile_of
from services.enhancer.words import is_latin, language, tokens
from services.enhancer.writing import choosing, chosen, neutral, open_slots, rewriting, rewritten

log = structlog.get_logger()

TRIES = 2
OnDraft = Callable[[str, int], None]
"""`on_draft(text, attempt)`: a piece of what the model writes, not checked."""


class _Written(NamedTuple):
    """What a try came to."""

    prompt: str
    source: PromptSource
    complaints: Sequence[str] = ()


class Enhancer:
    """One for each process, whichever way a prompt comes."""

    def __init__(self, model: LanguageModel, *, rewrites: bool, max_waiting: int, cache_size: int) -> None:
        self.model = model
        self.rewrites = rewrites
        """Whether the model may write whole prompts, and judge messages; else it only chooses phrases."""
        self._max_waiting = max_waiting
        self._slots = asyncio.Semaphore(model.concurrency)
        self._cache: OrderedDict[tuple[str, ...], EnhancedPrompt] = OrderedDict()
        self._cache_size = cache_size
        self.counts: Counter[str] = Counter()
        """Prompts by how they were made, and `cached`, `refused`, `failed`."""
        self.working = 0
        """Tasks that the model has in hand or that wait for it."""

    async def enhance(self, wish: EnhancePrompt, on_draft: OnDraft | None = None) -> EnhancedPrompt:
        """The best prompt that is to be had within the wish's time.

        Raises:
            EaselError: INVALID_REQUEST; QUEUE_FULL; UNAVAILABLE when the model is away or too slow.
        """
        if not wish.prompt.strip() or len(wish.prompt) > MAX_PROMPT_CHARACTERS:
            raise EaselError(ErrorCode.INVALID_REQUEST, "the prompt is empty or too long", param="prompt")
        key = (wish.prompt, wish.model, wish.family, wish.style)
        if found := self._cache.get(key):
            self._cache.move_to_end(key)
            self.counts["cached"] += 1
            return found
        try:
            async with asyncio.timeout(wish.timeout_s):
                written = await self._written(wish, on_draft)
        except TimeoutError as fault:
            self.counts["failed"] += 1
            message = f"the language model did not answer within {wish.timeout_s:g} s"
            raise EaselError(ErrorCode.UNAVAILABLE, message, retry_after_s=5) from fault
        except EaselError:
            self.counts["failed"] += 1
            raise
        self.counts[written.source.value] += 1
        author = "" if written.source is PromptSource.ORIGINAL else self.model.name
        answer = EnhancedPrompt(prompt=written.prompt, source=written.source, language_model=author)
        self._cache[key] = answer
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)
        return answer

    async def ask(self, task: Task, on_text: OnText | None = None) -> str:
        """What the model writes, once it is free.

        Raises:
            EaselError: QUEUE_FULL, UNAVAILABLE.
        """
        async with self._place():
            return await self.model.write(task, on_text)

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self.working >= self._max_waiting + self.model.concurrency:
            self.counts["refused"] += 1
            message = f"{self._max_waiting} prompts wait for the language model, as many as may; try again later"
            raise EaselError(ErrorCode.QUEUE_FULL, message, retry_after_s=5)
        self.working += 1
        try:
            async with self._slots:
                yield
        finally:
            self.working -= 1

    async def _written(self, wish: EnhancePrompt, on_draft: OnDraft | None) -> _Written:
        profile = profile_of(wish.model, wish.family)
        as_it_was = _Written(wish.prompt, PromptSource.ORIGINAL)
        if tokens(wish.prompt) >= profile.max_tokens or not neutral(wish.prompt):
            return as_it_was
        attempt = self._rewrite if self.rewrites else self._choose
        best, complaints = as_it_was, tuple[str, ...]()
        for number in range(1, TRIES + 1):
            on_text = (lambda text, number=number: on_draft(text, number)) if on_draft else None
            tried = await attempt(wish, profile, complaints, on_text)
            if tried.source is PromptSource.MODEL or not tried.complaints:
                return tried
            complaints = tuple(tried.complaints)
            best = tried if tried.source is PromptSource.PARTIAL else best
        log.info("the model's text was refused", source=best.source, faults=len(complaints))
        return best

    async def _rewrite(
        self, wish: EnhancePrompt, profile: Profile, complaints: Sequence[str], on_text: OnText | None
    ) -> _Written:
        text = rewritten(await self.ask(rewriting(wish, profile, complaints), on_text))
        found = faults(wish.prompt, text, profile.max_tokens)
        if not found and text.casefold() != wish.prompt.strip().casefold():
            return _Written(text, PromptSource.MODEL)
        phrases = fitting_phrases(f"{wish.prompt} {wish.style}", text)
        return _extended(wish, _style(wish) + phrases, profile, found or ["it adds nothing"])

    async def _choose(
        self, wish: EnhancePrompt, profile: Profile, complaints: Sequence[str], on_text: OnText | None
    ) -> _Written:
        """The phrases are English: a prompt in another language stays as it is."""
        slots = open_slots(wish, profile)
        if not slots or not is_latin(wish.prompt) or language(wish.prompt) not in ("", "en"):
            return _extended(wish, _style(wish), profile, ())
        picks = chosen(await self.ask(choosing(wish, slots, complaints), on_text), slots)
        if len(picks) < len(slots):
            return _extended(wish, _style(wish) + picks, profile, ["it is not one phrase of each list"])
        text = with_phrases(wish.prompt, _style(wish) + picks, profile.max_tokens)
        if all(pick in text for pick in picks):
            return _Written(text, PromptSource.MODEL)
        return _extended(wish, _style(wish) + picks, profile, ())


def _style(wish: EnhancePrompt) -> list[str]:
    """The user's own words for how it should look."""
    style = neutral(wish.style)
    return [style] if style and style.casefold() not in wish.prompt.casefold() else []


def _extended(wish: EnhancePrompt, phrases: list[str], profile: Profile, complaints: Sequence[str]) -> _Written:
    """The prompt with what fits after it, or as it was."""
    text = with_phrases(wish.prompt, phrases, profile.max_tokens)
    if text == with_phrases(wish.prompt, [], profile.max_tokens):
        return _Written(wish.prompt, PromptSource.ORIGINAL, complaints)
    return _Written(text, PromptSource.PARTIAL, complaints)
