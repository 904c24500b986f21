"""Prometheus metrics: the buckets that all durations share, and the port that shows what a process counted.

Metrics are declared where they are counted (`*/metrics.py`), under OpenTelemetry's names where those exist. Labels come
from small sets: never a job, a prompt or a key.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import structlog
from msgspec import Meta
from prometheus_client import start_http_server

from runtime.process.hardware import watch_devices

log = structlog.get_logger()

BUCKETS = tuple(0.01 * 2**power for power in range(18))
"""Seconds, 0.01 to 1310.72: OpenTelemetry's for generation, continued because a CPU may draw for minutes."""
QUICK_BUCKETS = tuple(0.0005 * 2**power for power in range(14))
"""Seconds, 0.0005 to 4.1, for what takes milliseconds."""
TRIED_PORTS = 16


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Of workers; the gateway shows its metrics at `/metrics`, to those who may ask it anything."""

    port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description=f"Port that shows a worker's metrics to Prometheus; where several share a machine, the next "
            f"free one of {TRIED_PORTS}. 0: none.",
            extra={"env": ("EASEL_METRICS_PORT",)},
        ),
    ] = 0
    host: Annotated[
        str,
        Meta(
            description="Address of that port. Nobody is asked for a key there, so open it to your Prometheus alone.",
            extra={"env": ("EASEL_METRICS_HOST",)},
        ),
    ] = "127.0.0.1"


def serve_metrics(settings: MetricsSettings) -> None:
    """Show this process's metrics over HTTP, from a thread of its own. A worker without them still works."""
    if not settings.port:
        return
    watch_devices()
    for port in range(settings.port, min(settings.port + TRIED_PORTS, 65536)):
        try:
            start_http_server(port, settings.host)
        except OSError as fault:
            refused = fault
        else:
            log.info("metrics", host=settings.host, port=port)
            return
    log.error("no metrics: EASEL_METRICS_PORT cannot be opened", port=settings.port, fault=str(refused))
