"""gRPC's interceptor that times every call and makes it a span."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc

from gateway.metrics import RPC
from runtime.process import telemetry

Call = grpc.HandlerCallDetails
Handler = Any


class CallObserver(grpc.aio.ServerInterceptor):
    """Standard services (health, reflection) are timed and not traced."""

    async def intercept_service(self, continuation: Callable[[Call], Awaitable[Handler]], details: Call) -> Handler:
        """The handler, observed."""
        handler = await continuation(details)
        if handler is None or handler.request_streaming:
            return handler
        method = details.method.strip("/")
        sent = {str(key): str(value) for key, value in details.invocation_metadata or ()}
        parent = sent.get(telemetry.TRACEPARENT, "")
        coding = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(_streaming(handler.unary_stream, method), **coding)
        return grpc.unary_unary_rpc_method_handler(_answering(handler.unary_unary, method, parent), **coding)


def _answering(answer: Any, method: str, parent: str) -> Any:
    async def observed(request: Any, context: Any) -> Any:
        with _timed(method, context), _traced(method, parent):
            return await answer(request, context)

    return observed


def _streaming(stream: Any, method: str) -> Any:
    """Timed only: a span must not be entered in one task and left in another, as streams may be."""

    async def observed(request: Any, context: Any) -> AsyncIterator[Any]:
        with _timed(method, context):
            async for message in stream(request, context):
                yield message

    return observed


def _traced(method: str, parent: str) -> contextlib.AbstractContextManager[None]:
    if method.startswith("grpc."):
        return contextlib.nullcontext()
    return telemetry.span(method, "server", {"rpc.system.name": "grpc", "rpc.method": method}, parent=parent)


@contextlib.contextmanager
def _timed(method: str, context: Any) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        code = context.code()
        status = code.name if isinstance(code, grpc.StatusCode) else "OK"
        RPC.labels(method, status).observe(time.perf_counter() - began)
