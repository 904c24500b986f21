"""`/mcp`, and `GET /v1/tools/generate_image`."""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
from collections.abc import Sequence
from typing import Any

from litestar import Request, asgi, get
from litestar.exceptions import MethodNotAllowedException
from litestar.openapi import ResponseSpec
from litestar.types import ControllerRouterHandler, Receive, Scope, Send

from gateway.api.mcp import schemas
from gateway.body import read_json
from gateway.replies import Answer, json_reply
from gateway.service import Service
from gateway.settings import GatewaySettings


@get(
    "/v1/tools/generate_image",
    summary="The drawing tool as OpenAI's chat completions take it",
    tags=["Tools"],
    operation_id="getGenerateImageTool",
    responses={200: ResponseSpec(schemas.FunctionTool, description="An entry for `tools`")},
)
async def generate_image_tool() -> Answer:
    kind = schemas.GenerateArguments
    parameters = {**schemas.arguments_schema(kind), "additionalProperties": False}
    function = schemas.Function(description=kind.__doc__ or "", parameters=parameters)
    return json_reply(schemas.FunctionTool(function=function))


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` for whoever wants to read what was read already."""
    read: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Any:
        return read.pop() if read else await receive()

    return replay


def handlers(service: Service, settings: GatewaySettings) -> Sequence[ControllerRouterHandler]:
    """The routes; `/mcp` is an application of its own, which nothing is handed to."""
    version = importlib.metadata.version("easel")
    tools: list[Any] = []

    @asgi("/mcp", copy_scope=True)
    async def mcp(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":  # type: ignore[typeddict-item]
            raise MethodNotAllowedException(headers={"allow": "POST"})  # nothing to listen to, no session to end
        body = await read_json(Request(scope, receive), settings, settings.max_upload_bytes)
        if not tools:  # the package takes longer to load than all of the gateway, and most gateways never need it
            server = await asyncio.to_thread(importlib.import_module, "gateway.api.mcp.server")
            tools.append(server.Tools(service, settings, version))
        await tools[0].answer(scope, _replayed(body, receive), send)

    return generate_image_tool, mcp
