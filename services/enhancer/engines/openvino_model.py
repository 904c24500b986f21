"""A GGUF model of the Llama family in this process, by OpenVINO GenAI: needs no server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from contracts.errors import EaselError, ErrorCode
from runtime.worker.images.engine_thread import EngineThread
from services.enhancer.engines.language_model import Message, OnText, Task

_WARM_UP = Task([Message("user", "a cat")], {"enum": ["cat", "dog"]}, max_tokens=4)


class OpenVinoModel:
    """One task at a time, in a thread of its own."""

    concurrency = 1

    def __init__(self, file: Path, device: str = "CPU") -> None:
        self._file = file
        self._device = device
        self._thread = EngineThread()
        self._pipeline: Any = None
        self.name = file.stem

    async def start(self) -> None:
        """Load, and write a little: the first answer of a fresh model is slow.

        Raises:
            EaselError: UNSUPPORTED.
        """
        await self._thread.call(self._load)
        await self.write(_WARM_UP)

    def _load(self) -> None:
        import openvino_genai  # noqa: PLC0415  takes a second and 70 MB that tests of the rest need not spend

        try:
            self._pipeline = openvino_genai.LLMPipeline(str(self._file), self._device)
        except RuntimeError as fault:
            message = f"OpenVINO cannot load {self._file}: {str(fault).strip().splitlines()[-1]}"
            raise EaselError(ErrorCode.UNSUPPORTED, message) from fault

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
        import openvino_genai as genai  # noqa: PLC0415  as above

        if stop.is_set():
            return ""
        config = genai.GenerationConfig()
        config.max_new_tokens = task.max_tokens
        config.apply_chat_template = False
        config.do_sample = task.temperature > 0
        if config.do_sample:
            config.temperature, config.rng_seed = task.temperature, task.seed
        constraint = genai.StructuredOutputConfig()
        constraint.json_schema = msgspec.json.encode(task.schema).decode()
        config.structured_output_config = constraint

        def on_piece(piece: str) -> Any:
            hear(piece)
            return genai.StreamingStatus.CANCEL if stop.is_set() else genai.StreamingStatus.RUNNING

        turns = [message._asdict() for message in task.messages]
        prompt = self._pipeline.get_tokenizer().apply_chat_template(turns, add_generation_prompt=True)
        try:
            return str(self._pipeline.generate(prompt, config, on_piece))
        except RuntimeError as fault:
            message = f"the language model failed: {str(fault).strip().splitlines()[-1]}"
            raise EaselError(ErrorCode.UNAVAILABLE, message) from fault

    async def close(self) -> None:
        self._thread.stop()
