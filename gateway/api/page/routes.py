"""`/` and its files, the page's stream, and its way back through older jobs."""

from __future__ import annotations

import asyncio
import importlib.metadata
from functools import partial
from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from contracts.errors import EaselError, ErrorCode
from gateway.api.page import assets, schemas
from gateway.api.page.feed import FIRST_JOBS, Feed, page_of_jobs
from gateway.auth import OPEN, HttpRequest, owner
from gateway.lifespan import BusLink
from gateway.replies import Answer, json_reply
from gateway.sse import HEADERS, with_keep_alives

_CHAT = "/v1/chat/images"
_VERSION = importlib.metadata.version("easel")
_FILES = assets.load()
_HEADERS = {
    "content-security-policy": assets.POLICY,
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


@get("/", include_in_schema=False, opt=OPEN)
async def page(request: HttpRequest) -> Response[bytes]:
    return _file(request, "index.html")


@get("/web/{name:path}", include_in_schema=False, opt=OPEN)
async def file(name: FromPath[str], request: HttpRequest) -> Response[bytes]:
    return _file(request, name.lstrip("/"))


def _file(request: HttpRequest, name: str) -> Response[bytes]:
    found = _FILES.get(name)
    if found is None:
        raise EaselError(ErrorCode.NOT_FOUND, f"the page has no file {name[:64]!r}")
    headers = {**_HEADERS, "etag": found.etag}
    if request.headers.get("if-none-match") == found.etag:
        return Response(b"", status_code=304, headers=headers)
    return Response(found.data, media_type=found.content_type, headers=headers)


@get("/page/events", include_in_schema=False, media_type="text/event-stream")
async def events(
    request: HttpRequest,
    link: NamedDependency[BusLink],
    draining: NamedDependency[asyncio.Event],
) -> Stream:
    gateway = schemas.PageGateway(
        version=_VERSION,
        chat=any(route.path == _CHAT for route in request.app.routes),
    )
    feed = Feed(link, owner(request), gateway, partial(request.route_handler.authorize_connection, request))
    return Stream(with_keep_alives(feed.events(), draining), media_type="text/event-stream", headers=HEADERS)


@get("/page/jobs", include_in_schema=False)
async def older_jobs(
    request: HttpRequest,
    link: NamedDependency[BusLink],
    before: Annotated[int | None, QueryParameter(ge=0, description="Where the answer before said `older`.")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000)] = FIRST_JOBS,
) -> Answer:
    return json_reply(await page_of_jobs(link.backend.jobs, owner(request), limit, before))


HANDLERS = (page, file, events, older_jobs)
