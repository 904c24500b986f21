"""Every route with every kind of key, on a real gateway: the table in `routes` says what must come of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from litestar.routes import ASGIRoute

from gateway.keys import EVERY_SCOPE, Scope, change_key, create_key
from tests.gateway.conftest import app_without_bus
from tests.security.conftest import Guarded
from tests.security.routes import JOB, ROUTES, Route
from tests.support.eventually import eventually

NOBODYS = "easel_00000000_" + "A" * 43
OTHERS_JOB = "0" * 32
GUARDED = [route for route in ROUTES if route.scope is not None]
OF_A_JOB = [route for route in ROUTES if route.names_a_job]
ACCEPTS = {"accept": "application/json, text/event-stream"}
"""As MCP's clients must."""


class Answered(NamedTuple):
    status: int
    headers: httpx.Headers
    body: Any
    """JSON where it is; None of a stream that has begun."""


class System(NamedTuple):
    """A gateway that asks for keys, with one worker."""

    http: httpx.AsyncClient
    keys_file: Path

    def key(self, *scopes: Scope) -> str:
        return create_key(self.keys_file, "test", scopes)

    def rescope(self, key: str, *scopes: Scope) -> None:
        """Leave the key these scopes."""
        assert change_key(self.keys_file, key.split("_")[1], scopes=scopes)

    async def ask(self, route: Route, key: str = "", job_id: str = OTHERS_JOB) -> Answered:
        headers = ACCEPTS | ({"authorization": f"Bearer {key}"} if key else {})
        async with self.http.stream(route.method, route.url(job_id), json=route.body, headers=headers) as answer:
            if answer.headers.get("content-type", "").startswith("text/event-stream"):
                return Answered(answer.status_code, answer.headers, None)
            await answer.aread()
            is_json = answer.headers.get("content-type", "").startswith("application/json")
            return Answered(answer.status_code, answer.headers, answer.json() if is_json else answer.text)

    async def drawn_job(self, key: str) -> str:
        """Id of a job of the key's that has its picture."""
        answer = await self.http.post("/generate", json={"prompt": "mine"}, headers={"x-api-key": key})
        return str(answer.raise_for_status().json()["job_id"])


@pytest.fixture
async def system(guarded: Guarded) -> AsyncIterator[System]:
    async with httpx.AsyncClient(base_url=guarded.gateway.url, timeout=30) as http:
        yield System(http, guarded.keys_file)


def test_the_table_names_every_route_of_the_application_and_no_other() -> None:
    there = set()
    for route in app_without_bus().routes:
        methods = {"POST"} if isinstance(route, ASGIRoute) else route.methods - {"OPTIONS"}
        there |= {(method, route.path) for method in methods}
    assert {(route.method, route.path) for route in ROUTES} == there


async def test_without_a_key_only_what_is_public_answers(system: System) -> None:
    for route in ROUTES:
        answer = await system.ask(route)
        if route.scope is None:
            assert answer.status == route.answer, route
        else:
            refused(route, answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"].startswith("Bearer"), route


async def test_a_key_that_does_not_exist_is_as_good_as_none(system: System) -> None:
    for route in ROUTES:
        answer = await system.ask(route, NOBODYS)
        if route.scope is None:
            assert answer.status == route.answer, route
        else:
            refused(route, answer, 401, "unauthenticated")


async def test_all_other_scopes_together_open_nothing(system: System) -> None:
    keys = {scope: system.key(*(other for other in EVERY_SCOPE if other is not scope)) for scope in EVERY_SCOPE}
    for route in GUARDED:
        assert route.scope
        answer = await system.ask(route, keys[route.scope])
        refused(route, answer, 403, "permission_denied")
        assert f"scope {route.scope}" in message(route, answer.body), route


async def test_the_one_scope_that_a_route_needs_opens_it(system: System) -> None:
    for scope in EVERY_SCOPE:
        key = system.key(Scope.GENERATE)
        job_id = await system.drawn_job(key)
        system.rescope(key, scope)
        for route in GUARDED:
            if route.scope is scope:
                answer = await system.ask(route, key, job_id)
                assert answer.status == route.answer, (route, answer.body)


async def test_the_job_of_another_key_does_not_exist(system: System) -> None:
    """With every scope there is: an administrator does not look at people's pictures."""
    job_id = await system.drawn_job(system.key(Scope.GENERATE))
    stranger = system.key(*EVERY_SCOPE)
    for route in OF_A_JOB:
        answer, absent = await system.ask(route, stranger, job_id), await system.ask(route, stranger)
        refused(route, answer, 404, "not_found")
        assert message(route, answer.body).replace(job_id, OTHERS_JOB) == message(route, absent.body), route


async def test_no_list_shows_a_job_of_another_key(system: System) -> None:
    job_id = await system.drawn_job(system.key(Scope.GENERATE))
    headers = {"x-api-key": system.key(*EVERY_SCOPE)}
    for route in GUARDED:
        if route.method == "GET" and route.path != "/page/events" and not route.names_a_job:
            answer = await system.http.get(route.url(OTHERS_JOB), headers=headers)
            assert job_id not in answer.text, route
    async with system.http.stream("GET", "/page/events", headers=headers) as answer:
        hello = await anext(line async for line in answer.aiter_lines() if line.startswith("data:"))
    assert '"jobs":[]' in hello


def call_tool(name: str, **arguments: str) -> dict[str, Any]:
    params = {"name": name, "arguments": {"job_id": JOB, **arguments}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/images", {"message": "make it blue", "action": "edit", "job_id": JOB}),
        ("/mcp", call_tool("job_status")),
        ("/mcp", call_tool("edit_image", prompt="b")),
    ],
)
async def test_a_body_that_names_the_job_of_another_key_finds_none(
    system: System, path: str, body: dict[str, Any]
) -> None:
    job_id = await system.drawn_job(system.key(Scope.GENERATE))
    headers = ACCEPTS | {"x-api-key": system.key(*EVERY_SCOPE), "content-type": "application/json"}
    answer = await system.http.post(path, content=json.dumps(body).replace(JOB, job_id), headers=headers)
    assert f"there is no job '{job_id}'" in answer.text


async def test_interrupting_ends_no_job_of_another_key(system: System) -> None:
    waits = {"prompt": "gate", "steps": 1}
    mine, theirs = system.key(Scope.GENERATE, Scope.READ), system.key(Scope.GENERATE)
    job_id = (await system.http.post("/generate/async", json=waits, headers={"x-api-key": mine})).json()["job_id"]
    for route in ("/sdapi/v1/interrupt", "/sdapi/v1/skip"):
        assert (await system.http.post(route, headers={"x-api-key": theirs})).status_code == 200

    async def runs() -> bool:
        answer = await system.http.get(f"/job/{job_id}", headers={"x-api-key": mine})
        return bool(answer.json()["status"] == "running")

    await eventually(runs)


@pytest.mark.parametrize(
    ("path", "body"),
    [("/pipeline/select-device", {"device": "GPU"}), ("/models/load", {"model": "fake", "device": "gpu"})],
)
async def test_only_an_administrator_moves_a_worker_to_another_device(
    system: System, path: str, body: dict[str, Any]
) -> None:
    """Everybody draws with it."""
    key = system.key(Scope.GENERATE)
    refusal = await system.http.post(path, json=body, headers={"x-api-key": key})
    assert (refusal.status_code, "scope admin" in refusal.text) == (403, True)
    system.rescope(key, Scope.GENERATE, Scope.ADMIN)
    assert (await system.http.post(path, json=body, headers={"x-api-key": key})).status_code == 200


async def test_what_a_route_takes_is_told_to_everybody(system: System) -> None:
    """Some clients probe with OPTIONS before they send the key."""
    for path in {route.url(OTHERS_JOB) for route in ROUTES} - {"/mcp"}:
        answer = await system.http.options(path)
        assert answer.status_code == 204, path
        assert "OPTIONS" in answer.headers["allow"]


def refused(route: Route, answer: Answered, status: int, code: str) -> None:
    """In the words of the route's dialect."""
    assert answer.status == status, (route, answer.body)
    assert answer.headers["content-type"] == "application/json", route
    assert message(route, answer.body), route
    body = answer.body
    match dialect(route.path):
        case "openai":
            assert body["error"]["code"] == code, route
            kinds = {401: "authentication_error", 403: "permission_error", 404: "invalid_request_error"}
            assert body["error"]["type"] == kinds[status], route
        case "prompt assist":
            assert body["status_code"] == status, route
        case "sdapi":
            assert body["error"] == code, route
        case "pipeline":
            assert body["status"] == "error", route
        case "jobs":
            assert (body["success"], body["code"]) == (False, code), route


def message(route: Route, body: Any) -> str:
    """What a refusal says, from where the dialect has it and with no field that it has not."""
    fields, place = SHAPES[dialect(route.path)]
    assert set(body) == fields, (route, body)
    for name in place:
        body = body[name]
    return str(body)


SHAPES: dict[str, tuple[set[str], tuple[str, ...]]] = {
    "openai": ({"error"}, ("error", "message")),
    "prompt assist": ({"error", "status_code"}, ("error",)),
    "sdapi": ({"error", "detail", "body", "errors"}, ("detail",)),
    "pipeline": ({"status", "message"}, ("message",)),
    "jobs": ({"success", "error", "code", "param"}, ("error",)),
}
"""The fields of a refusal, and where its message stands."""


def dialect(path: str) -> str:
    """Of a path; what no other dialect has is the job routes'."""
    prefixes = {"/v1/prompts/": "prompt assist", "/v1/": "openai", "/sdapi/": "sdapi", "/pipeline/": "pipeline"}
    return next((name for prefix, name in prefixes.items() if path.startswith(prefix)), "jobs")
