"""`/v1/usage`: what the caller's key used today, and may use."""

from __future__ import annotations

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec

from gateway.auth import HttpRequest, may, owner
from gateway.keys import Scope
from gateway.limits import Usage
from gateway.replies import Answer, json_reply
from gateway.service import Service


class UsageReply(msgspec.Struct):
    """One entry for the caller's key, or for every key where the caller's has the scope admin; none without keys."""

    usage: list[Usage]


@get(
    "/v1/usage",
    summary="What the caller's key used today, and its limits; of every key with the scope admin",
    tags=["Keys"],
    operation_id="usage",
    responses={200: ResponseSpec(UsageReply, description="Today's use, by key")},
)
async def show_usage(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    everyone = may(request, Scope.ADMIN)
    return json_reply(UsageReply(await service.quota.usage(owner(request), everyone=everyone)))


HANDLERS = (show_usage,)
