"""A real HTTP server that answers as a test tells it to: `routes` maps "METHOD /path" to a function of the request."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; tests answer it with `json` or by writing events."""

    stub: StubGateway
    protocol_version = "HTTP/1.0"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass

    def _serve(self) -> None:
        path = self.path.split("?")[0]
        length = int(self.headers.get("Content-Length") or 0)
        self.body = json.loads(self.rfile.read(length)) if length else None
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.stub.seen.append((self.command, self.path, headers, self.body))
        answer = self.stub.routes.get(f"{self.command} {path}")
        if answer is None:
            self.json({"success": False, "error": f"no route {path}", "code": "not_found"}, 404)
        else:
            answer(self)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

    def json(self, value: Any, status: int = 200, **headers: str) -> None:
        self.bytes(json.dumps(value).encode(), "application/json", status, **headers)

    def bytes(self, data: bytes, content_type: str, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def events(self, *lines: tuple[str, str, Any]) -> None:
        """`(name, id, data)` of each event; the connection closes after the last."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for name, event_id, data in lines:
            self.event(name, event_id, data)

    def event(self, name: str, event_id: str, data: Any) -> None:
        head = f"event: {name}\n" + (f"id: {event_id}\n" if event_id else "")
        self.wfile.write(f"{head}data: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()


class StubGateway:
    """What was asked (`seen`) and what to answer (`routes`)."""

    def __init__(self) -> None:
        self.routes: dict[str, Answer] = {}
        self.seen: list[tuple[str, str, dict[str, str], Any]] = []
        self.url = ""

    def asked(self, method: str, path: str) -> list[dict[str, str]]:
        """Headers of each such request."""
        return [headers for m, p, headers, _ in self.seen if (m, p) == (method, path)]


@contextlib.contextmanager
def stub_gateway() -> Iterator[StubGateway]:
    stub = StubGateway()
    handler = type("StubRequest", (Request,), {"stub": stub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        stub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield stub
        server.shutdown()
        thread.join()
