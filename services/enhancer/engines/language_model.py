"""What the enhancer needs of a language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol


class Message(NamedTuple):
    """One turn of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


class Task(NamedTuple):
    """Something to write."""

    messages: Sequence[Message]
    schema: dict[str, Any]
    """JSON Schema that the answer satisfies, where the model can be held to one."""
    max_tokens: int
    temperature: float = 0.0
    seed: int = 0


OnText = Callable[[str], None]
"""Called in the event loop with each piece of text as it comes."""


class LanguageModel(Protocol):
    """One model, wherever it runs."""

    @property
    def name(self) -> str:
        """For people, and for telling answers of different models apart."""

    @property
    def concurrency(self) -> int:
        """Tasks that it does at once."""

    async def start(self) -> None:
        """Get ready. Raises EaselError when it can never work."""

    async def write(self, task: Task, on_text: OnText | None = None) -> str:
        """The whole text. Cancelling it stops the model.

        Raises:
            EaselError: UNAVAILABLE, with what to look at.
        """

    async def close(self) -> None:
        """Release everything."""
