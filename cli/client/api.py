"""Requests to the gateway; every fault leaves as a `CliError` that says what to do."""

from __future__ import annotations

import os
import ssl
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from cli.faults import CliError, ExitCode

if TYPE_CHECKING:
    import httpx

CONNECT_S = 5.0
ANSWER_S = 60.0
SILENCE_S = 60.0
"""An event stream sends a keepalive far more often than this."""
PATIENCE_S = 60.0
"""How long a gateway may be away in the middle of something."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 3.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_AWAY = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)


class StreamBrokenError(Exception):
    """An event stream could not be opened or broke off; worth another try."""


class BrokenOffError(CliError):
    """No gateway at `url`, or none any more; `refused` when the connection was never made."""

    def __init__(self, url: str, reason: str, *, refused: bool) -> None:
        super().__init__(ExitCode.UNREACHABLE, f"no gateway answers at {url} ({reason}); {_remedy(url, reason)}")
        self.refused = refused


class Api:
    """One gateway. Use as a context manager."""

    def __init__(self, url: str) -> None:
        import httpx

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            message = f"{url!r} is not a URL; write it like http://127.0.0.1:8000 (--url, EASEL_URL)"
            raise CliError(ExitCode.USAGE, message)
        self.url = url.rstrip("/")
        key = os.environ.get("EASEL_API_KEY", "")
        self._client = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            # a proxy of the environment cannot reach this machine's own loopback
            trust_env=parts.hostname not in _LOOPBACK,
            verify=_authorities(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, path: str, **params: Any) -> Any:
        """The JSON answer."""
        return self._json(self._send("GET", path, params=params))

    def post(self, path: str, body: dict[str, Any], patience_s: float = PATIENCE_S) -> tuple[Any, str]:
        """The JSON answer, and what the gateway warns of: a size that it rounded, a field without effect.

        A request that broke off is sent again with the same idempotency key, so that it makes one job at most.
        """
        headers, deadline, pause = {"Idempotency-Key": uuid.uuid4().hex}, time.monotonic() + patience_s, FIRST_PAUSE_S
        begun = False
        while True:
            try:
                answer = self._send("POST", path, json=body, headers=headers)
                return self._json(answer), answer.headers.get("x-easel-warning", "")
            except BrokenOffError as fault:
                begun = begun or not fault.refused
                if not begun or time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def delete(self, path: str, timeout_s: float = ANSWER_S) -> Any:
        return self._json(self._send("DELETE", path, timeout=timeout_s))

    def get_bytes(self, path: str, **params: Any) -> tuple[bytes, str]:
        """The body and its content type."""
        answer = self._send("GET", path, params=params)
        return answer.content, answer.headers.get("content-type", "")

    def probe(self, path: str) -> tuple[int, Any]:
        """Status and JSON of a health route, whatever the status."""
        answer = self._send("GET", path, refuse=False)
        return answer.status_code, self._json(answer)

    @contextmanager
    def stream(self, path: str, last_event_id: str) -> Iterator[Iterator[bytes]]:
        """The raw chunks of an event stream.

        Raises:
            StreamBrokenError: no connection, it broke, or the gateway is away for the moment.
            CliError: the gateway refused.
        """
        import httpx

        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_event_id} if last_event_id else {})
        timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
        try:
            with self._client.stream("GET", path, headers=headers, timeout=timeout) as answer:
                if answer.status_code in _AWAY:
                    raise StreamBrokenError(f"HTTP {answer.status_code}")
                if answer.is_error:
                    answer.read()
                    raise self._refusal(answer)
                yield answer.iter_bytes()
        except httpx.TransportError as fault:
            raise StreamBrokenError(str(fault) or type(fault).__name__) from fault

    @contextmanager
    def post_stream(self, path: str, body: dict[str, Any]) -> Iterator[Iterator[bytes]]:
        """The raw chunks of the event stream that answers `body`; one that breaks off is not asked for again.

        Raises:
            CliError: the gateway refused, or went away.
        """
        import httpx

        timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
        try:
            with self._client.stream("POST", path, json=body, timeout=timeout) as answer:
                if answer.is_error:
                    answer.read()
                    raise self._refusal(answer)
                yield answer.iter_bytes()
        except httpx.TransportError as fault:
            raise BrokenOffError(self.url, str(fault), refused=isinstance(fault, httpx.ConnectError)) from fault

    def _send(self, method: str, path: str, *, refuse: bool = True, **rest: Any) -> httpx.Response:
        import httpx

        try:
            answer = self._client.request(method, path, **rest)
        except httpx.TimeoutException as fault:
            raise CliError(ExitCode.UNREACHABLE, f"{self.url} did not answer {method} {path} in time") from fault
        except (httpx.TransportError, httpx.InvalidURL) as fault:
            raise BrokenOffError(self.url, str(fault), refused=isinstance(fault, httpx.ConnectError)) from fault
        if refuse and answer.is_error:
            raise self._refusal(answer)
        return answer

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except ValueError as fault:
            message = f"{answer.url} did not answer with JSON; is that an Easel gateway? (--url, EASEL_URL)"
            raise CliError(ExitCode.UNREACHABLE, message) from fault

    def _refusal(self, answer: httpx.Response) -> CliError:
        said = _message(answer)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            said += "; set EASEL_API_KEY to a key of this gateway"
        if answer.status_code in _AWAY:
            return CliError(ExitCode.UNREACHABLE, f"{self.url} is not available: {said}")
        if answer.is_client_error:
            return CliError(ExitCode.REJECTED, f"{said} (HTTP {answer.status_code})")
        return CliError(ExitCode.INTERNAL, f"{self.url} failed: {said} (HTTP {answer.status_code})")


def _authorities() -> ssl.SSLContext:
    """The system's, and the one of `EASEL_CA`.

    Raises:
        CliError: its file cannot be read.
    """
    context, own = ssl.create_default_context(), os.environ.get("EASEL_CA", "")
    try:
        if own:
            context.load_verify_locations(own)
    except OSError as fault:  # ssl.SSLError is one
        raise CliError(ExitCode.USAGE, f"EASEL_CA={own} cannot be read: {fault}") from fault
    return context


def _remedy(url: str, reason: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return "set EASEL_CA to the certificate of the authority that signed the gateway's, and use the name it is for"
    if url.startswith("https:") and ("WRONG_VERSION_NUMBER" in reason or "record layer" in reason):
        return "it speaks without TLS: write http:// (--url, EASEL_URL)"
    if url.startswith("http:") and "disconnected" in reason:
        return "it may speak TLS: write https:// (--url, EASEL_URL)"
    return "start one with 'easel up', or set EASEL_URL"


def _message(answer: httpx.Response) -> str:
    """The error text of whichever dialect answered."""
    try:
        body = answer.json()
    except ValueError:
        return answer.reason_phrase or "no explanation"
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        error = error.get("message")
    return error if isinstance(error, str) and error else answer.reason_phrase or "no explanation"
