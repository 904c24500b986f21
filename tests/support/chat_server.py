"""A server with OpenAI's `/v1/chat/completions` on a real socket, in place of llama.cpp: says what the test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Say = Callable[[dict[str, Any]], str]
"""From the request's body to the text of the answer."""


def as_prompt(text: str) -> Say:
    """Always this prompt."""
    return lambda _: json.dumps({"prompt": text})


class ChatServer:
    """Streams what `say` returns, in pieces. While `gate` is not set it has begun to answer and says no more."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Semaphore(0)
        """Released at each request."""
        self.requests: list[dict[str, Any]] = []
        self.status = 200
        self.refuses_schema = False
        self.streams = True
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.requests.append(body | {"path": self.path, "authorization": self.headers["Authorization"]})
                server.asked.release()
                status = 400 if server.refuses_schema and "response_format" in body else server.status
                if status != 200:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                server.answer(self, body)

            def log_message(self, *_: Any) -> None:
                """Not to stderr."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        if not self.streams:
            data = json.dumps({"choices": [{"message": {"content": self.say(body)}}]}).encode()
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)
            return
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        handler.wfile.flush()
        self.gate.wait(60)
        text = self.say(body)
        try:
            for start in range(0, len(text), 9):
                event = {"choices": [{"delta": {"content": text[start : start + 9]}}]}
                handler.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            handler.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            return  # the asker has gone
        finally:
            handler.close_connection = True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
