"""Traces in OpenTelemetry's terms: from the request through the bus to the engine's steps, exported by OTLP over HTTP.

Off until `configure` is given an address. Until then nothing of OpenTelemetry is imported, and a span is nothing.
Attributes never hold prompts.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
import structlog
from msgspec import Meta

from runtime.process.settings import SettingsError

log = structlog.get_logger()

TRACEPARENT = "traceparent"
"""Header, in HTTP and on the bus, of the W3C's trace context."""
FLUSH_MS = 2000
"""Milliseconds that the last spans get to leave a process that ends."""

Attributes = Mapping[str, str | int | float | bool]


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Read once, at start. OpenTelemetry's other variables (`OTEL_EXPORTER_OTLP_HEADERS`, …) are its own affair."""

    otlp_endpoint: Annotated[
        str,
        Meta(
            pattern="^(https?://.+)?$",
            description="Address of an OpenTelemetry collector that takes OTLP over HTTP, such as "
            "`http://127.0.0.1:4318`. Empty: no traces.",
            extra={"env": ("EASEL_TELEMETRY_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")},
        ),
    ] = ""
    trace_ratio: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of requests that are traced; what a caller traces is traced.",
            extra={"env": ("EASEL_TELEMETRY_TRACE_RATIO", "OTEL_TRACES_SAMPLER_ARG")},
        ),
    ] = 1.0


_tracer: Any = None
"""OpenTelemetry's tracer once there is one."""


def configure(service: str, settings: TelemetrySettings) -> None:
    """Begin to trace, if the settings say where to.

    Raises:
        SettingsError: the extra `telemetry` is not installed.
    """
    if not settings.otlp_endpoint:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  heavy
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  as above
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415  as above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415  as above
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio  # noqa: PLC0415  as above
    except ImportError as fault:
        raise SettingsError(["EASEL_TELEMETRY_OTLP_ENDPOINT needs: pip install 'easel[telemetry]'"]) from fault
    version = importlib.metadata.version("easel")
    resource = Resource.create({"service.name": f"easel-{service}", "service.version": version})
    provider = TracerProvider(resource=resource, sampler=ParentBasedTraceIdRatio(settings.trace_ratio))
    exporter = OTLPSpanExporter(endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    global _tracer  # noqa: PLW0603  one for each process, as logging's configuration is
    _tracer = provider.get_tracer("easel", version)
    structlog.configure(processors=[_add_trace_id, *structlog.get_config()["processors"]])
    log.info("tracing", endpoint=settings.otlp_endpoint)
    _Provider.current = provider


class _Provider:
    current: Any = None


def provider() -> Any:
    """OpenTelemetry's `TracerProvider`; None while tracing is off."""
    return _Provider.current


def flush() -> None:
    """Send what is still here, for at most `FLUSH_MS`."""
    if _Provider.current is not None:
        _Provider.current.force_flush(FLUSH_MS)


@contextlib.contextmanager
def span(
    name: str, kind: str = "internal", attributes: Attributes | None = None, *, parent: str = ""
) -> Iterator[None]:
    """A part of the work. Exceptions that leave it are noted by their type; their text may quote a request.

    Args:
        name: of few kinds: never with an id in it.
        kind: `internal`, `server`, `producer`, `consumer`.
        attributes: as OpenTelemetry's conventions name them.
        parent: trace context that it belongs to, where that is not the surrounding span.
    """
    if _tracer is None:
        yield
        return
    from opentelemetry import trace  # noqa: PLC0415  only where tracing is on

    with _tracer.start_as_current_span(
        name,
        context=_context(parent) if parent else None,
        kind=trace.SpanKind[kind.upper()],
        attributes=dict(attributes or {}),
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield
        except Exception as fault:
            current.set_attribute("error.type", type(fault).__name__)
            current.set_status(trace.StatusCode.ERROR)
            raise


def here() -> str:
    """The trace context of the surrounding span, to be sent along; "" where there is none."""
    if _tracer is None:
        return ""
    from opentelemetry import trace  # noqa: PLC0415  as above

    found = trace.get_current_span().get_span_context()
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}" if found.is_valid else ""


def record(name: str, began_ns: int, ended_ns: int, attributes: Attributes, *, parent: str) -> None:
    """A part of the work that is over, such as a step told of by another thread; times are Unix nanoseconds."""
    if _tracer is not None and parent:
        done = _tracer.start_span(name, context=_context(parent), start_time=began_ns, attributes=dict(attributes))
        done.end(ended_ns)


def _context(traceparent: str) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415  as above

    return TraceContextTextMapPropagator().extract({TRACEPARENT: traceparent})


def _add_trace_id(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if context := here():
        event["trace_id"] = context.split("-")[1]
    return event
