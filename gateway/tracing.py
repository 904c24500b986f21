"""A span for each HTTP request, by Litestar's own plugin for OpenTelemetry; none while tracing is off."""

from __future__ import annotations

from typing import Any

from litestar.plugins import PluginProtocol

from runtime.process import telemetry

_UNTRACED = ["^/livez$", "^/readyz$", "^/startupz$", "^/health$", "^/metrics$"]
"""Asked every few seconds by machines."""
_WITH_QUERY = ("http.url", "http.target", "url.full", "url.query")
"""Attributes that would hold what a client wrote into the address."""


def plugins() -> list[PluginProtocol]:
    """What the application needs to be traced."""
    if telemetry.provider() is None:
        return []
    from litestar.plugins.opentelemetry import OpenTelemetryConfig, OpenTelemetryPlugin  # noqa: PLC0415  heavy

    config = OpenTelemetryConfig(
        tracer_provider=telemetry.provider(),
        exclude=_UNTRACED,
        exclude_spans=["receive", "send"],
        server_request_hook_handler=_without_query,
    )
    return [OpenTelemetryPlugin(config)]


def _without_query(span: Any, _: dict[str, Any]) -> None:
    for name in _WITH_QUERY:
        if value := (span.attributes or {}).get(name):
            span.set_attribute(name, str(value).partition("?")[0] if name != "url.query" else "")
