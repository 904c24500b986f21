"""Any server with OpenAI's `/v1/chat/completions`: llama.cpp's llama-server, Ollama, vLLM, OpenAI."""

from __future__ import annotations

import contextlib
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from contracts.errors import EaselError, ErrorCode
from services.enhancer.engines.language_model import OnText, Task

CONNECT_S = 3.0
_SILENCE_S = 60.0
"""Between two pieces of an answer; the caller's deadline is shorter as a rule."""
MAX_ANSWER_BYTES = 256 << 10


class HttpModel:
    """Connections are kept; `model` may stay empty where the server has only one."""

    def __init__(self, url: str, *, key: str = "", model: str = "", concurrency: int = 4) -> None:
        base = url.rstrip("/").removesuffix("/v1")
        self._url = f"{base}/v1/chat/completions"
        self._model = model
        self._refused: set[str] = set()
        """Schemas that the server does not take: it is asked without, and the answer is checked all the same."""
        self.concurrency = concurrency
        self.name = f"{model or 'model'} at {base}"
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(_SILENCE_S, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        )

    async def start(self) -> None:
        """Nothing: the server may come later."""

    async def write(self, task: Task, on_text: OnText | None = None) -> str:
        try:
            return await self._write(task, on_text)
        except httpx.TimeoutException as fault:
            raise self._unavailable("does not answer") from fault
        except httpx.TransportError as fault:
            raise self._unavailable(f"cannot be reached ({fault or type(fault).__name__})") from fault
        except (msgspec.MsgspecError, KeyError, IndexError, TypeError) as fault:
            raise self._unavailable("answered in a form that is not OpenAI's") from fault

    async def _write(self, task: Task, on_text: OnText | None) -> str:
        body: dict[str, Any] = {
            "model": self._model or "default",
            "messages": [message._asdict() for message in task.messages],
            "temperature": task.temperature,
            "max_tokens": task.max_tokens,
            "seed": task.seed,
            "stream": True,
        }
        schema = msgspec.json.encode(task.schema).decode()
        if schema not in self._refused:
            named = {"name": "answer", "strict": True, "schema": task.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        async with contextlib.AsyncExitStack() as stack:
            answer = await self._answer(stack, body)
            if answer.status_code == HTTPStatus.BAD_REQUEST and schema not in self._refused:
                self._refused.add(schema)
            elif answer.is_error:
                raise self._unavailable(f"answered with HTTP {answer.status_code}")
            else:
                return await self._text(answer, on_text)
        return await self._write(task, on_text)

    async def _answer(self, stack: contextlib.AsyncExitStack, body: dict[str, Any]) -> httpx.Response:
        """The beginning of an answer. Asked again over a new connection where the server had just closed a kept one."""
        for _ in range(self.concurrency):
            with contextlib.suppress(httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                return await stack.enter_async_context(self._http.stream("POST", self._url, json=body))
        return await stack.enter_async_context(self._http.stream("POST", self._url, json=body))

    async def _text(self, answer: httpx.Response, on_text: OnText | None) -> str:
        """What the server writes, as events or, where it does not stream, at once."""
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            whole = msgspec.json.decode(await answer.aread())
            return str(whole["choices"][0]["message"]["content"])
        pieces, size = list[str](), 0
        async for line in answer.aiter_lines():
            if not line.startswith("data:") or line.strip() == "data: [DONE]":
                continue
            event = msgspec.json.decode(line.removeprefix("data:").strip())
            if "error" in event:
                raise self._unavailable("broke off with an error")
            piece = (event["choices"][0]["delta"].get("content") or "") if event.get("choices") else ""
            size += len(piece)
            if size > MAX_ANSWER_BYTES:
                raise self._unavailable("does not stop writing")
            pieces.append(piece)
            if piece and on_text:
                on_text(piece)
        return "".join(pieces)

    def _unavailable(self, what: str) -> EaselError:
        message = f"the language model {what}; EASEL_ENHANCER_URL says where it is"
        return EaselError(ErrorCode.UNAVAILABLE, message, retry_after_s=5)

    async def close(self) -> None:
        await self._http.aclose()
