"""Who may ask, with every way of sending a key; `tests.security` has every route."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.access import token_of
from gateway.keys import Scope, create_key, list_keys, revoke_key
from tests.gateway.conftest import app_without_bus, client_of, post_scope


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"anyone:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("scopes", "method", "route", "status"),
    [
        ([Scope.READ], "GET", "/jobs", 503),
        ([Scope.READ], "POST", "/generate/async", 403),
        ([Scope.READ], "DELETE", f"/job/{'0' * 32}", 403),
        ([Scope.GENERATE], "POST", "/generate/async", 503),
        ([Scope.GENERATE], "GET", "/jobs", 403),
        ([Scope.ENHANCE], "GET", "/v1/models", 403),
        ([Scope.ENHANCE], "POST", "/v1/prompts/enhance", 502),
        ([Scope.GENERATE], "POST", "/v1/prompts/enhance", 403),
        ([], "GET", "/jobs", 403),
    ],
)
async def test_a_key_may_do_what_its_scopes_say(
    keys_file: Path, scopes: list[Scope], method: str, route: str, status: int
) -> None:
    """503 and 502: past the guard, and there is no bus."""
    token = create_key(keys_file, "anna", scopes)
    async with client_of(app_without_bus(keys_file=str(keys_file))) as http:
        body = {"prompt": "a fox"} if method == "POST" else None
        answer = await http.request(method, route, json=body, headers={"x-api-key": token})
    assert answer.status_code == status
    if status == 403:
        assert "with the scope" in answer.text


async def test_an_expired_key_opens_nothing_and_says_why(keys_file: Path) -> None:
    token = create_key(keys_file, "anna", expires_at=time.time() - 1)
    async with client_of(app_without_bus(keys_file=str(keys_file))) as http:
        answer = await http.get("/jobs", headers={"x-api-key": token})
        assert (await http.get("/livez", headers={"x-api-key": token})).status_code == 200
    assert answer.status_code == 401
    assert "expired at" in answer.json()["error"]


async def test_a_key_opens_in_each_header_that_clients_send_it_in(keys_file: Path) -> None:
    """503: past the guard, and there is no bus."""
    token = create_key(keys_file, "anna")
    async with client_of(app_without_bus(keys_file=str(keys_file))) as http:
        for headers in (
            {"authorization": f"Bearer {token}"},
            {"authorization": f"bearer  {token} "},
            {"authorization": basic(token)},
            {"x-api-key": token},
            {"api-key": token},
            {"authorization": "", "x-api-key": token},
            {"authorization": "Bearer ", "x-api-key": token},
        ):
            assert (await http.get("/jobs", headers=headers)).status_code == 503, headers
        revoke_key(keys_file, list_keys(keys_file)[0].id)
        assert (await http.get("/jobs", headers={"x-api-key": token})).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer x"},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic " + base64.b64encode(b"\xff\xff").decode()},
        {"authorization": basic("")},
        {"authorization": "Digest abc"},
        {"x-api-key": "easel_00000000_" + "A" * 43},
    ],
)
async def test_anything_else_is_refused(keys_file: Path, headers: dict[str, str]) -> None:
    """401, never a 400 or 500."""
    create_key(keys_file, "anna")
    async with client_of(app_without_bus(keys_file=str(keys_file))) as http:
        answer = await http.get("/v1/models", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")


async def test_a_body_is_not_read_without_a_key(keys_file: Path) -> None:
    """Refused by its headers alone."""
    create_key(keys_file, "anna")
    read = []

    async def send(message: Any) -> None:
        assert message.get("status", 401) == 401

    async def receive() -> Any:
        read.append(1)
        return {"type": "http.request", "body": b"{}", "more_body": False}

    await app_without_bus(keys_file=str(keys_file))(post_scope("/generate"), receive, send)  # type: ignore[arg-type]
    assert read == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "easel.localhost"])
async def test_without_keys_this_machines_names_are_answered(host: str) -> None:
    async with client_of(app_without_bus()) as http:
        assert (await http.get("/livez", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:8000"])
async def test_without_keys_another_name_for_this_machine_is_refused(host: str) -> None:
    """A page whose name resolves to 127.0.0.1 would otherwise draw here."""
    async with client_of(app_without_bus()) as http:
        answer = await http.post("/generate", headers={"host": host}, json={"prompt": "a"})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


async def test_the_public_address_is_one_of_our_names() -> None:
    """For a proxy on this machine."""
    async with client_of(app_without_bus(public_url="https://draw.example.org/easel")) as http:
        assert (await http.get("/livez", headers={"host": "draw.example.org"})).status_code == 200


async def test_strangers_learn_no_details_from_the_health_routes(keys_file: Path) -> None:
    """Only whether it works."""
    create_key(keys_file, "anna")
    async with client_of(app_without_bus(keys_file=str(keys_file))) as http:
        assert set((await http.get("/health")).json()) == {"status", "reason"}


def test_the_token_is_taken_from_the_first_header_that_has_one() -> None:
    assert token_of({"authorization": "Bearer a", "x-api-key": "b"}) == "a"
    assert token_of({"x-api-key": "b", "api-key": "c"}) == "b"
    assert token_of({}) == ""
