"""Failures in the words of the dialect that was spoken: one handler for everything that is raised anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from litestar.exceptions import HTTPException

from contracts.errors import EaselError, ErrorCode
from gateway.api.axera import convert as axera
from gateway.api.jobs import convert as jobs
from gateway.api.openai import convert as openai
from gateway.api.pipeline import convert as pipeline
from gateway.api.prompt_assist import convert as prompt_assist
from gateway.api.sdapi import convert as sdapi
from gateway.auth import HttpRequest
from gateway.errors import easel_error, error_headers
from gateway.notes import notes_of
from gateway.observe import request_id
from gateway.replies import Answer, json_reply

log = structlog.get_logger()

Renderer = Callable[[EaselError], tuple[int, Any]]

OPENAI: Renderer = openai.error
PROMPT_ASSIST: Renderer = prompt_assist.error
JOBS: Renderer = jobs.error
AXERA: Renderer = axera.error
SDAPI: Renderer = sdapi.error
PIPELINE: Renderer = pipeline.error

_BY_PREFIX: tuple[tuple[str, Renderer], ...] = (
    ("/v1/prompts/", PROMPT_ASSIST),
    ("/v1/", OPENAI),
    ("/sdapi/", SDAPI),
    ("/pipeline/", PIPELINE),
    ("/", JOBS),
)
_CHOSEN = "easel.dialect"


def choose(request: HttpRequest, renderer: Renderer) -> None:
    """Say that this request speaks another dialect than its path tells."""
    notes = notes_of(request.scope)
    notes[_CHOSEN] = renderer


def answer_failure(request: HttpRequest, fault: Exception) -> Answer:
    """The answer to whatever was raised; what nobody foresaw is logged, and told without detail."""
    error = easel_error(fault)
    if error is None:
        log.error("request failed", path=request.url.path, request_id=request_id(request.scope), exc_info=fault)
        message = f"the gateway failed; its log says why under request id {request_id(request.scope)}"
        error = EaselError(ErrorCode.INTERNAL, message)
    status, body = _renderer(request)(error)
    return json_reply(body, status, {**error_headers(error), **_allow(fault)})


def _allow(fault: Exception) -> dict[str, str]:
    """The methods that a route takes, as the router said in refusing another (RFC 9110, section 15.5.6)."""
    found = fault.headers or {} if isinstance(fault, HTTPException) else {}
    return {"allow": found["allow"]} if "allow" in found else {}


def _renderer(request: HttpRequest) -> Renderer:
    notes = notes_of(request.scope)
    chosen: Renderer | None = notes.get(_CHOSEN)
    return chosen or next(renderer for prefix, renderer in _BY_PREFIX if request.url.path.startswith(prefix))
