"""A GGUF model in this process by llama-cpp-python, where that is installed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contracts.errors import EaselError, ErrorCode
from runtime.worker.images.engine_thread import EngineThread
from services.enhancer.engines.language_model import OnText, Task

CONTEXT_TOKENS = 2048


class LlamaCppModel:
    """One task at a time, in a thread of its own."""

    concurrency = 1

    def __init__(self, file: Path) -> None:
        self._file = file
        self._thread = EngineThread()
        self._llama: Any = None
        self.name = file.stem

    async def start(self) -> None:
        """Load.

        Raises:
            EaselError: UNSUPPORTED.
        """
        await self._thread.call(self._load)

    def _load(self) -> None:
        import llama_cpp  # noqa: PLC0415  not everywhere

        try:
            self._llama = llama_cpp.Llama(str(self._file), n_ctx=CONTEXT_TOKENS, verbose=False)
        except (ValueError, RuntimeError) as fault:
            raise EaselError(ErrorCode.UNSUPPORTED, f"llama.cpp cannot load {self._file}: {fault}") from fault

    async def write(self, task: Task, on_text: OnText | None = None) -> str:
        stop, loop = threading.Event(), asyncio.get_running_loop()

        def hear(piece: str) -> None:
            if on_text is not None:
                loop.call_soon_threadsafe(on_text, piece)

        try:
            return await self._thread.call(self._generate, task, stop, hear)
        finally:
            stop.set()

    def _generate(self, task: Task, stop: threading.Event, hear: Callable[[str], None]) -> str:
        pieces = []
        try:
            for chunk in self._llama.create_chat_completion(
                messages=[message._asdict() for message in task.messages],
                response_format={"type": "json_object", "schema": task.schema},
                max_tokens=task.max_tokens,
                temperature=task.temperature,
                seed=task.seed,
                stream=True,
            ):
                piece = chunk["choices"][0]["delta"].get("content") or ""
                pieces.append(piece)
                hear(piece)
                if stop.is_set():
                    break
        except (ValueError, RuntimeError) as fault:
            raise EaselError(ErrorCode.UNAVAILABLE, f"the language model failed: {fault}") from fault
        return "".join(pieces)

    async def close(self) -> None:
        self._thread.stop()
