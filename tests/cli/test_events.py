"""The event stream: parsed as the standard says, followed across breaks."""

from __future__ import annotations

from typing import Any

import pytest

from cli.client import events
from cli.client.api import Api
from cli.client.events import Event, follow, parse
from cli.faults import CliError, ExitCode
from tests.cli.conftest import JOB
from tests.cli.stub_gateway import Request, StubGateway

FINISHED: dict[str, Any] = {"state": "succeeded", "images": [], "error": None}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(events, "LONGEST_PAUSE_S", 0.01)


def test_events_are_cut_at_any_byte() -> None:
    stream = b'event: progress\r\nid: 1.2\r\ndata: {"step": 1}\r\n\r\n: comment\n\ndata: a\ndata: b\n\n'
    whole = [Event("progress", '{"step": 1}', "1.2"), Event("message", "a\nb", "1.2")]
    for cut in range(len(stream)):
        assert whole == list(parse([stream[:cut], stream[cut:]]))


def test_a_line_separator_inside_json_does_not_end_the_line() -> None:
    assert next(parse(["data: a\u2028b\n\n".encode()])).data == "a\u2028b"


def test_an_event_without_its_blank_line_is_dropped() -> None:
    assert list(parse([b"event: progress\ndata: {}\n"])) == []


def follow_all(stub: StubGateway, patience_s: float = 30.0) -> list[tuple[str, Any]]:
    seen: list[tuple[str, Any]] = []
    with Api(stub.url) as api:
        follow(api, JOB, lambda name, data: seen.append((name, data)), patience_s=patience_s)
    return seen


def test_a_broken_stream_is_opened_again_after_the_last_event_seen(gateway: StubGateway) -> None:
    parts = iter(
        [
            [("queued", "0.0", {}), ("progress", "1.1", {"step": 1})],
            [("keepalive", "", None)],
            [("progress", "1.2", {"step": 2}), ("finished", "999999.999999", FINISHED)],
        ]
    )
    gateway.routes[f"GET /job/{JOB}/events"] = lambda r: r.events(*next(parts))
    seen = follow_all(gateway)
    assert seen == [("queued", {}), ("progress", {"step": 1}), ("progress", {"step": 2}), ("finished", FINISHED)]
    asked = [headers.get("last-event-id") for headers in gateway.asked("GET", f"/job/{JOB}/events")]
    assert asked == [None, "1.1", "1.1"]


def test_a_gateway_that_restarts_is_waited_for(gateway: StubGateway) -> None:
    answers = iter([503, 502, 200])

    def answer(request: Request) -> None:
        status = next(answers)
        if status == 200:
            request.events(("finished", "999999.999999", FINISHED))
        else:
            request.json({"error": "starting"}, status)

    gateway.routes[f"GET /job/{JOB}/events"] = answer
    assert follow_all(gateway) == [("finished", FINISHED)]


def test_a_job_that_is_not_there_is_not_waited_for(gateway: StubGateway) -> None:
    del gateway.routes[f"GET /job/{JOB}/events"]
    with pytest.raises(CliError) as raised:
        follow_all(gateway)
    assert raised.value.code == ExitCode.REJECTED


def test_a_gateway_that_stays_away_ends_the_wait_and_names_the_job(gateway: StubGateway) -> None:
    gateway.routes[f"GET /job/{JOB}/events"] = lambda r: r.json({}, 503)
    with pytest.raises(CliError) as raised:
        follow_all(gateway, patience_s=0.02)
    assert raised.value.code == ExitCode.UNREACHABLE
    assert f"easel jobs watch {JOB}" in raised.value.message
