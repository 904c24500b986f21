"""What this process did on the bus: messages stored, and jobs that it ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from prometheus_client import Counter, Histogram

from runtime.process.metrics import QUICK_BUCKETS

SYSTEM = "nats"
_WHERE = ["messaging_system", "messaging_destination_template"]

SENT = Counter("messaging_client_sent_messages", "Messages stored on the bus.", _WHERE)
OPERATION = Histogram(
    "messaging_client_operation_duration_seconds",
    "From the first try to store a message until the bus had it.",
    [*_WHERE, "messaging_operation_name", "error_type"],
    buckets=QUICK_BUCKETS,
)
OUTCOMES = Counter(
    "t2i_job_outcomes",
    "Jobs ended by this process; each job counts once, whoever ends it.",
    ["state", "model", "reason"],
)


@contextlib.contextmanager
def sending(subject: str) -> Iterator[None]:
    """Time and count what the block stores."""
    template, began, error = template_of(subject), time.perf_counter(), ""
    try:
        yield
        SENT.labels(SYSTEM, template).inc()
    except Exception as fault:
        error = type(fault).__name__
        raise
    finally:
        OPERATION.labels(SYSTEM, template, "send", error).observe(time.perf_counter() - began)


def template_of(subject: str) -> str:
    """A subject without its ids: `easel.job`, `easel.blob`."""
    return ".".join(subject.split(".", 2)[:2])
