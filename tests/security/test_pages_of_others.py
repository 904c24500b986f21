"""A page of another site in the browser of whoever sits at this machine: it may send, and nothing may come of it."""

from __future__ import annotations

import httpx
import pytest

from runtime.messaging.settings import BusSettings
from tests.gateway.conftest import app_without_bus, client_of
from tests.security.routes import ROUTES
from tests.support.fake_engine import FakeEngine
from tests.support.systems import StartGateway, offering
from tests.support.workers import running_worker

CHANGING = [route for route in ROUTES if route.method != "GET"]
EVIL = "https://evil.example"


@pytest.mark.parametrize("origin", [EVIL, "null", "http://127.0.0.1:3000", "http://localhost:8000", "", "file://"])
async def test_no_route_that_changes_something_answers_a_page_of_another_site(origin: str) -> None:
    """Another port of this machine is another site, and so is another name for it."""
    async with client_of(app_without_bus()) as http:
        for route in CHANGING:
            answer = await http.request(route.method, route.url("0" * 32), json=route.body, headers={"origin": origin})
            assert (answer.status_code, "other sites" in answer.text) == (403, True), route


async def test_our_own_page_and_clients_that_are_no_browser_may() -> None:
    """503: past the guard, and there is no bus."""
    app = app_without_bus(public_url="https://draw.example.org/easel")
    async with client_of(app) as http:
        for host, origin in (
            ("127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("localhost:8000", "http://localhost:8000"),
            ("draw.example.org", "https://draw.example.org"),
            ("127.0.0.1:8000", None),
        ):
            headers = {"host": host} | ({"origin": origin} if origin else {})
            answer = await http.post("/generate/async", json={"prompt": "a"}, headers=headers)
            assert answer.status_code == 503, origin


async def test_no_answer_lets_another_site_read_it() -> None:
    """Without these headers a browser keeps every answer from the page, reading ones too."""
    async with client_of(app_without_bus()) as http:
        for route in ROUTES:
            answer = await http.request(route.method, route.url("0" * 32), json=route.body, headers={"origin": EVIL})
            assert not [name for name in answer.headers if name.startswith("access-control-")], route
        preflight = {"origin": EVIL, "access-control-request-method": "POST"}
        answer = await http.options("/generate", headers=preflight)
        assert not [name for name in answer.headers if name.startswith("access-control-")]


async def test_a_page_that_posts_to_localhost_leaves_no_job(
    bus_settings: BusSettings, start_gateway: StartGateway
) -> None:
    """As a browser sends it without asking first: a form, plain text, no body at all."""
    async with (
        running_worker(bus_settings, FakeEngine()),
        start_gateway() as gateway,
        httpx.AsyncClient(base_url=gateway.url) as http,
    ):
        await offering(gateway)
        mine = (await http.post("/generate", json={"prompt": "mine"})).json()["job_id"]
        headers = {"origin": EVIL, "sec-fetch-site": "cross-site"}
        for path, sent in (
            ("/generate/async", {"content": '{"prompt": "evil"}', "headers": {"content-type": "text/plain"}}),
            ("/v1/images/edits", {"data": {"prompt": "evil"}, "files": {"image": b"x"}}),
            (f"/job/{mine}/retry", {}),
            ("/sdapi/v1/interrupt", {}),
        ):
            answer = await http.post(path, **{**sent, "headers": {**headers, **sent.get("headers", {})}})  # type: ignore[arg-type,dict-item]
            assert answer.status_code == 403, path
        assert [job["job_id"] for job in (await http.get("/jobs")).json()["jobs"]] == [mine]
