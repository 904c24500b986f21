"""One log set-up for every process: JSON lines on stderr, with the job at hand bound by a context variable.

Prompts never appear in a log line: nobody logs one, and where a library's failure quotes one it is `withheld`.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from contextvars import ContextVar

import structlog

_WITHHELD: ContextVar[tuple[str, ...]] = ContextVar("withheld", default=())
LEAST_CHARACTERS = 2
"""Shorter texts are part of everything and tell nothing."""


@contextlib.contextmanager
def withheld(*texts: str) -> Iterator[None]:
    """Within the block, this task's lines have `[withheld]` where they would have one of `texts`, plain or quoted."""
    spelt = {form for text in texts for form in (text, repr(text)[1:-1]) if len(form.strip()) >= LEAST_CHARACTERS}
    token = _WITHHELD.set(tuple(sorted(spelt, key=len, reverse=True)))
    try:
        yield
    finally:
        _WITHHELD.reset(token)


def _withhold(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for text in _WITHHELD.get():
        for name, value in event.items():
            if isinstance(value, str) and text in value:
                event[name] = value.replace(text, "[withheld]")
    return event


def configure(service: str, level: str = "info") -> None:
    """Send our logs and those of the libraries to stderr as JSON with `ts`, `level`, `event` and `service`."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        _name_service(service),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, _withhold, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _withhold,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)


def _name_service(service: str) -> structlog.typing.Processor:
    def add(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    return add
