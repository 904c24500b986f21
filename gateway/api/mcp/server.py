"""The tools over the Model Context Protocol, with its official package; loaded with the first request (see `routes`).

Stateless: every request stands alone, so any gateway answers it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

import mcp_types as types
import msgspec
from litestar import Request
from litestar.types import Receive, Scope, Send
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from contracts.errors import EaselError, ErrorCode
from contracts.events import Progress
from gateway.api.mcp import convert, schemas
from gateway.auth import HttpRequest, owner
from gateway.links import picture_url
from gateway.resolve import Wanted
from gateway.service import Drawn, Picture, Service
from gateway.settings import GatewaySettings

INLINE_BYTES = 700_000
"""Largest picture in an answer: hosts cut answers at 1 MB, and base64 makes four bytes of three."""

Content = list[types.ContentBlock]
Report = Callable[[float, float], Awaitable[None]]
_Context = ServerRequestContext[Any, Any]


class Tools:
    """The tools, over one gateway's service."""

    def __init__(self, service: Service, settings: GatewaySettings, version: str) -> None:
        self._service = service
        self._settings = settings
        self._server = Server("easel", version=version, on_list_tools=self._list, on_call_tool=self._call)
        self._tools: dict[str, tuple[type[msgspec.Struct], Callable[..., Awaitable[Content]]]] = {
            schemas.NAME: (schemas.GenerateArguments, self._generate),
            "edit_image": (schemas.EditArguments, self._edit),
            "job_status": (schemas.JobArguments, self._job),
            "list_models": (schemas.ModelsArguments, self._models),
        }

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request. Its end, a client that left included, ends all that was begun for it."""
        limit = self._settings.max_upload_bytes
        manager = StreamableHTTPSessionManager(self._server, stateless=True, max_request_body_size=limit)
        async with manager.run():
            await manager.handle_request(scope, receive, send)  # type: ignore[arg-type]

    async def _list(self, _: _Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(name=name, description=kind.__doc__, input_schema=schemas.arguments_schema(kind))
                for name, (kind, _) in self._tools.items()
            ]
        )

    async def _call(self, ctx: _Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        request: HttpRequest = Request(ctx.request.scope)  # type: ignore[union-attr]
        try:
            kind, run = self._found(params.name)
            arguments = _parse(params.arguments or {}, kind)
            return types.CallToolResult(content=await run(arguments, request, ctx.session.report_progress))
        except EaselError as fault:
            said = f"{fault.param}: {fault.message}" if fault.param else fault.message
            return types.CallToolResult(content=[types.TextContent(text=said)], is_error=True)

    def _found(self, name: str) -> tuple[type[msgspec.Struct], Callable[..., Awaitable[Content]]]:
        if name not in self._tools:
            message = f"there is no tool {name[:64]!r}; there are: {', '.join(self._tools)}"
            raise EaselError(ErrorCode.NOT_FOUND, message)
        return self._tools[name]

    async def _generate(self, body: schemas.GenerateArguments, request: HttpRequest, report: Report) -> Content:
        return await self._draw(convert.wanted(body), request, report)

    async def _edit(self, body: schemas.EditArguments, request: HttpRequest, report: Report) -> Content:
        earlier = None
        if body.job_id and not body.image:
            outcome = (await self._service.job(body.job_id, owner(request))).outcome
            if outcome is None or not outcome.images:
                raise EaselError(ErrorCode.CONFLICT, f"job {body.job_id} has no picture to start from", param="job_id")
            earlier = (await self._service.picture(outcome, 0)).data
        return await self._draw(convert.wanted_edit(body, earlier), request, report)

    async def _draw(self, wanted: Wanted, request: HttpRequest, report: Report) -> Content:
        submitted, watched = await self._service.watch(wanted, owner(request))
        content: Content = []
        async with aclosing(watched):
            async for happened in watched:
                match happened:
                    case Progress(step=step, total_steps=total):
                        await report(step, total)
                    case Drawn():
                        content = self._shown(happened, request, submitted.warnings)
        return content

    def _shown(self, drawn: Drawn, request: HttpRequest, warnings: tuple[str, ...]) -> Content:
        job, first = drawn.outcome.job, drawn.pictures[0]
        said = f"Drawn by {job.request.model} as job {job.id} with seed {first.ref.seed}, "
        said += f"{first.ref.width}x{first.ref.height}."
        text = types.TextContent(text=" ".join((said, *warnings)))
        return [*_inline(first), self._link(first, request, job.id), text]

    def _link(self, picture: Picture, request: HttpRequest, job_id: str) -> types.ResourceLink:
        return types.ResourceLink(
            name=f"{job_id}.jpg",
            uri=picture_url(request, self._settings, job_id, picture),
            mime_type=picture.ref.content_type,
            size=picture.ref.size,
        )

    async def _job(self, body: schemas.JobArguments, request: HttpRequest, _: Report) -> Content:
        return _json(convert.job(await self._service.job(body.job_id, owner(request))))

    async def _models(self, _: schemas.ModelsArguments, __: HttpRequest, ___: Report) -> Content:
        return _json([convert.model(info) for info, _ in self._service.models().values()])


def _parse(arguments: Mapping[str, Any], kind: type[msgspec.Struct]) -> Any:
    try:
        return msgspec.convert(arguments, kind)
    except msgspec.ValidationError as fault:
        raise EaselError(ErrorCode.INVALID_REQUEST, str(fault)) from fault


def _inline(picture: Picture) -> Content:
    if picture.ref.size > INLINE_BYTES:
        return []
    return [types.ImageContent(data=base64.b64encode(picture.data).decode(), mime_type=picture.ref.content_type)]


def _json(found: Any) -> Content:
    return [types.TextContent(text=json.dumps(found, ensure_ascii=False))]
