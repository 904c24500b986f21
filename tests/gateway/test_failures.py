"""Every failure leaves in the words of the dialect that was spoken, and never as a traceback."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
import structlog
from litestar import get

from contracts.errors import EaselError, ErrorCode
from gateway.api.dialects import AXERA, JOBS, OPENAI, PIPELINE, PROMPT_ASSIST, SDAPI
from gateway.errors import HTTP_STATUS, error_headers
from tests.gateway.conftest import app_without_bus, client_of, post_scope

OPENAI_ROUTE = "/v1/images/generations"


@pytest.mark.parametrize("code", ErrorCode)
def test_each_code_has_its_status_and_body_in_each_dialect(code: ErrorCode) -> None:
    """The set is closed, so every one is walked."""
    fault = EaselError(code, "what to do", param="num_inference_steps")
    status, openai = OPENAI(fault)
    assert status == HTTP_STATUS[code]
    spelt = "moderation_blocked" if code is ErrorCode.CONTENT_REFUSED else code  # OpenAI's own word
    assert (openai.error.message, openai.error.param, openai.error.code) == ("what to do", "steps", spelt)
    assert openai.error.type.endswith("_error")
    status, jobs = JOBS(fault)
    assert (status, jobs.success, jobs.error, jobs.code) == (HTTP_STATUS[code], False, "what to do", code)
    status, assist = PROMPT_ASSIST(fault)
    assert (assist.error, assist.status_code) == ("what to do", status)
    assert status == (502 if code in (ErrorCode.UNAVAILABLE, ErrorCode.ENGINE_FAILED) else HTTP_STATUS[code])
    status, axera = AXERA(fault)
    assert (status, axera.status, axera.error, axera.param) == (HTTP_STATUS[code], "error", "what to do", "steps")
    status, pipeline = PIPELINE(fault)
    assert (status, pipeline.status, pipeline.message) == (HTTP_STATUS[code], "error", "what to do")
    status, sdapi = SDAPI(fault)
    assert (sdapi.error, sdapi.detail) == (code, "steps: what to do")
    assert status == (422 if code in (ErrorCode.INVALID_REQUEST, ErrorCode.UNSUPPORTED) else HTTP_STATUS[code])


def test_clients_are_told_when_to_repeat_and_when_not() -> None:
    """OpenAI's package repeats 409 and 5xx by itself."""
    assert error_headers(EaselError(ErrorCode.QUEUE_FULL, "", retry_after_s=0.2))["retry-after"] == "1"
    assert error_headers(EaselError(ErrorCode.QUEUE_FULL, "", retry_after_s=500))["retry-after"] == "60"
    assert error_headers(EaselError(ErrorCode.UNAVAILABLE, "", retry_after_s=2.1)) == {"retry-after": "3"}
    for code in (ErrorCode.CONFLICT, ErrorCode.ENGINE_FAILED, ErrorCode.DEADLINE_EXCEEDED):
        assert error_headers(EaselError(code, "")) == {"x-should-retry": "false"}


def code_of(answer: httpx.Response) -> Any:
    """The code, wherever the dialect has it; and the shape is checked."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    if isinstance(body["error"], dict):
        assert set(body["error"]) == {"message", "type", "param", "code"}
        return body["error"]["code"]
    assert (body["success"], set(body)) == (False, {"success", "error", "code", "param"})
    return body["code"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", OPENAI_ROUTE, 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/job", 404, "not_found"),
        ("GET", "/generate", 405, "method_not_allowed"),
        ("GET", "/v1/models", 503, "unavailable"),
        ("GET", "/jobs", 503, "unavailable"),
        ("GET", "/job/" + "0" * 32, 503, "unavailable"),
        ("GET", "/job/" + "0" * 32 + "/image?index=x", 400, "invalid_request"),
        ("GET", "/job/..%2f..%2fetc", 404, "not_found"),
        ("GET", "/job/NOT-AN-ID", 404, "not_found"),
    ],
)
async def test_routes_that_fail_say_so_in_their_dialect(
    alone: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await alone.request(method, path)
    assert (answer.status_code, code_of(answer)) == (status, code)


BODIES = {
    "cut": b'{"prompt": "a f',
    "empty": b"",
    "no object": b"[]",
    "not utf-8": b'{"prompt": "\xff"}',
    "half a pair": b'{"prompt": "\\ud800"}',
    "deep": b'{"prompt": ' + b"[" * 30_000,
    "deep in a field that is ignored": b'{"prompt": "a", "x": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "no prompt": b"{}",
    "null prompt": b'{"prompt": null}',
    "number": b'{"prompt": "a", "seed": "one"}',
}


@pytest.mark.parametrize("route", [OPENAI_ROUTE, "/generate", "/generate/async"])
@pytest.mark.parametrize("body", BODIES)
async def test_unreadable_bodies_are_refused(alone: httpx.AsyncClient, route: str, body: str) -> None:
    answer = await alone.post(route, content=BODIES[body], headers={"content-type": "application/json"})
    if body == "deep in a field that is ignored" and answer.status_code == 503:
        return
    assert (answer.status_code, code_of(answer)) == (400, "invalid_request"), answer.text


async def test_the_field_at_fault_is_named(alone: httpx.AsyncClient) -> None:
    for body, param in (({"prompt": "a", "n": "two"}, "n"), ({}, "prompt"), ({"prompt": "a", "stream": 5}, "stream")):
        error = (await alone.post(OPENAI_ROUTE, json=body)).json()["error"]
        assert error["param"] == param
        assert "$" not in error["message"]
        assert "`" not in error["message"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_bodies_that_a_browser_sends_without_asking_are_refused(alone: httpx.AsyncClient, kind: str) -> None:
    """Else any page could draw on this machine."""
    answer = await alone.post("/generate", content=b'{"prompt": "a"}', headers={"content-type": kind})
    assert (answer.status_code, code_of(answer)) == (400, "invalid_request")


@pytest.mark.parametrize("route", [OPENAI_ROUTE, "/generate"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_the_body_limit_holds_to_the_byte(route: str, chunked: bool) -> None:
    """Announced or not."""

    async def pieces(data: bytes) -> Any:
        for start in range(0, len(data), 500):
            yield data[start : start + 500]

    async with client_of(app_without_bus(max_body_bytes=2000, max_upload_bytes=2000)) as http:
        statuses = []
        for size in (2000, 2001):
            data = json.dumps({"prompt": "x" * (size - 14)}).encode()
            assert len(data) == size
            content = pieces(data) if chunked else data
            answer = await http.post(route, content=content, headers={"content-type": "application/json"})
            statuses.append((answer.status_code, code_of(answer)))
    assert statuses == [(503, "unavailable"), (413, "payload_too_large")]


async def test_a_body_that_never_comes_is_not_waited_for() -> None:
    """Slow senders must not hold places."""
    sent: list[Any] = []
    parts = iter([{"type": "http.request", "body": b"{", "more_body": True}])

    async def receive() -> Any:
        for part in parts:
            return part
        return await never()

    async def send(message: Any) -> None:
        sent.append(message)

    await app_without_bus(body_timeout_s=0.05)(post_scope("/generate"), receive, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 504
    assert json.loads(sent[1]["body"])["code"] == "deadline_exceeded"


async def never() -> Any:
    await asyncio.Event().wait()


async def test_an_unforeseen_fault_is_logged_and_told_without_detail() -> None:
    """The request id joins the two."""

    @get("/v1/broken")
    async def broken() -> None:
        raise RuntimeError("secret detail")

    app = app_without_bus()
    app.register(broken)
    async with client_of(app) as http:
        with structlog.testing.capture_logs() as logs:
            answer = await http.get("/v1/broken", headers={"x-request-id": "mine-1"})
    assert (answer.status_code, code_of(answer)) == (500, "internal")
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] == "mine-1"
    assert [line["request_id"] for line in logs if line["event"] == "request failed"] == ["mine-1"]


async def test_a_request_id_that_could_spoil_a_log_is_replaced(alone: httpx.AsyncClient) -> None:
    for given in ("a b", "x" * 65, 'x"y'):
        answer = await alone.get("/livez", headers={"x-request-id": given})
        assert answer.headers["x-request-id"] != given


async def test_the_shared_route_answers_in_the_dialect_of_its_body(alone: httpx.AsyncClient) -> None:
    """`use_enhancer` and no `model`: the prompt-assist words."""
    assist = await alone.post(OPENAI_ROUTE, json={"prompt": "a", "use_enhancer": False})
    assert (assist.status_code, assist.json()["status_code"]) == (502, 502)
    assert isinstance(assist.json()["error"], str)
    openai = await alone.post(OPENAI_ROUTE, json={"prompt": "a", "use_enhancer": False, "model": None})
    assert (openai.status_code, code_of(openai)) == (503, "unavailable")


@pytest.mark.parametrize(
    "change", [{"n": 5}, {"n": 0}, {"size": "640x640"}, {"prompt": ""}, {"prompt": "x" * 4097}, {"use_enhancer": "yes"}]
)
async def test_prompt_assist_keeps_its_own_limits(alone: httpx.AsyncClient, change: dict[str, Any]) -> None:
    answer = await alone.post(OPENAI_ROUTE, json={"prompt": "a", "use_enhancer": False} | change)
    assert (answer.status_code, set(answer.json())) == (400, {"error", "status_code"})


@pytest.mark.parametrize(
    ("route", "allowed"), [("/sdapi/v1/txt2img", "POST"), ("/pipeline/run", "POST"), ("/jobs", "GET"), ("/mcp", "POST")]
)
async def test_a_method_that_a_route_does_not_take_is_answered_with_those_that_it_does(
    alone: httpx.AsyncClient, route: str, allowed: str
) -> None:
    refused = await alone.put(route, json={})
    assert refused.status_code == 405
    assert allowed in refused.headers["allow"].split(", ")


async def test_control_characters_in_a_fields_name_do_not_break_the_header_that_names_it(
    http: httpx.AsyncClient,
) -> None:
    """A delete character ends the connection where it reaches the server's header writer."""
    answer = await http.post(OPENAI_ROUTE, json={"prompt": "a fox", "a\x7fb\nc": 1})
    assert answer.is_success
    assert answer.headers["x-easel-ignored"] == "a b c"
