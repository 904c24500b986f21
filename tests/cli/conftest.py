"""A stub gateway that finishes one job, and the environment it is found by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.stub_gateway import Request, StubGateway, stub_gateway

JOB = "0" * 31 + "7"
PICTURE = b"\x89PNG\r\n\x1a\n not really"


def image(index: int = 0) -> dict[str, int]:
    return {"index": index, "seed": 40 + index, "width": 64, "height": 48}


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubGateway]:
    """Accepts a job, reports two steps and hands out one picture."""
    with stub_gateway() as stub:
        monkeypatch.setenv("EASEL_URL", stub.url)
        monkeypatch.delenv("EASEL_API_KEY", raising=False)
        finished = {"state": "succeeded", "images": [image()], "error": None}
        stub.routes = {
            "POST /generate/async": lambda r: r.json({"success": True, "job_id": JOB, "status": "queued"}, 202),
            f"GET /job/{JOB}/events": lambda r: tell(
                r,
                ("queued", "0.0", {}),
                ("started", "1.0", {"worker": "w"}),
                ("progress", "1.1", {"step": 1, "total_steps": 2}),
                ("progress", "1.2", {"step": 2, "total_steps": 2}),
                ("finished", "999999.999999", finished),
            ),
            f"GET /job/{JOB}/image": lambda r: r.bytes(PICTURE, "image/png"),
            f"DELETE /job/{JOB}": lambda r: r.json({"success": True, "job_id": JOB, "status": "cancelled"}),
        }
        yield stub


def tell(request: Request, *events: tuple[str, str, object]) -> None:
    request.events(*events)
