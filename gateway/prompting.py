"""What the gateway asks of the enhancer beside jobs: a better prompt at once, and what a message wants."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncGenerator

from contracts.errors import EaselError, ErrorCode
from contracts.prompts import ENHANCER, EnhancedPrompt, EnhancePrompt, MessageIntent, PromptDraft, ReadIntent
from gateway.enhancement import wish_for
from gateway.lifespan import BusLink
from gateway.resolve import check_style, choose_model
from gateway.routing import offered_models
from gateway.settings import GatewaySettings
from runtime.messaging.micro_service import Address, ask, ask_with_drafts
from runtime.process.safety import PromptBlocklist

REMEMBERED_INTENTS = 512
_ENHANCE = Address(ENHANCER, "enhance")
_READ_INTENT = Address(ENHANCER, "read-intent")


class Prompting:
    """One for each gateway process."""

    def __init__(self, link: BusLink, settings: GatewaySettings, blocklist: PromptBlocklist) -> None:
        self._link = link
        self._blocklist = blocklist
        self._settings = settings
        self._intents: OrderedDict[tuple[str, str], MessageIntent] = OrderedDict()
        """What messages wanted, the last one asked for at the end."""

    async def enhance(self, prompt: str, model: str | None, style: str | None) -> EnhancedPrompt:
        """A better prompt for a model, or for the default one.

        Raises:
            EaselError: INVALID_REQUEST; CONTENT_REFUSED; MODEL_NOT_FOUND; QUEUE_FULL; UNAVAILABLE: no enhancer or no
                language model.
        """
        wish = self._wish(prompt, model, style)
        return await ask(self._link.backend.bus, _ENHANCE, wish, EnhancedPrompt, timeout_s=wish.timeout_s)

    def enhance_with_drafts(
        self, prompt: str, model: str | None, style: str | None
    ) -> AsyncGenerator[PromptDraft | EnhancedPrompt, None]:
        """As `enhance`, with what the language model writes as it comes; faults of the enhancer come on the way."""
        wish = self._wish(prompt, model, style)
        bus = self._link.backend.bus
        return ask_with_drafts(bus, _ENHANCE, wish, EnhancedPrompt, PromptDraft, timeout_s=wish.timeout_s)

    async def read_intent(self, message: str, previous_prompt: str) -> MessageIntent:
        """What a chat message wants, as the language model reads it.

        Raises:
            EaselError: UNAVAILABLE, QUEUE_FULL.
        """
        key = (message, previous_prompt)
        if found := self._intents.get(key):
            self._intents.move_to_end(key)
            return found
        asked = ReadIntent(
            message=message, previous_prompt=previous_prompt, timeout_s=self._settings.chat_intent_timeout_s
        )
        bus = self._link.backend.bus
        intent = await ask(bus, _READ_INTENT, asked, MessageIntent, timeout_s=asked.timeout_s)
        self._intents[key] = intent
        if len(self._intents) > REMEMBERED_INTENTS:
            self._intents.popitem(last=False)
        return intent

    def _wish(self, prompt: str, model: str | None, style: str | None) -> EnhancePrompt:
        _check_prompt(prompt)
        self._blocklist.check(prompt)
        check_style(style)
        workers = self._link.backend.roster.workers()
        offered = [info for info, _ in offered_models(workers).values()]
        target = choose_model(model, offered, self._settings).id if offered or model else ""
        return wish_for(prompt, target, style or "", workers, self._settings)


def _check_prompt(prompt: str) -> None:
    if not prompt.strip():
        raise EaselError(ErrorCode.INVALID_REQUEST, "prompt: it is empty; say what to draw", param="prompt")
    if any(ord(letter) < ord(" ") and letter not in "\t\n\r" for letter in prompt):
        raise EaselError(ErrorCode.INVALID_REQUEST, "prompt: it holds control characters", param="prompt")
