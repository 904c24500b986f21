"""What a gateway counts itself, and what it knows of the bus and the workers when Prometheus asks."""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Iterable, Iterator

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from contracts.jobs import JobOutcome
from contracts.workers import WorkerPresence
from runtime.messaging.bus_state import BusState
from runtime.process.metrics import BUCKETS

HTTP = Histogram(
    "http_server_request_duration_seconds",
    "From a request's arrival until its answer has left.",
    ["http_route", "http_request_method", "http_response_status_code", "error_type"],
    buckets=BUCKETS,
)
RPC = Histogram("rpc_server_call_duration_seconds", "gRPC calls.", ["rpc_method", "rpc_status_code"], buckets=BUCKETS)
OPERATION = Histogram(
    "gen_ai_client_operation_duration_seconds",
    "From the acceptance of a job until its client has the pictures, or the reason why not.",
    ["gen_ai_operation_name", "gen_ai_output_type", "gen_ai_request_model", "error_type"],
    buckets=BUCKETS,
)
REJECTED = Counter("t2i_rejected", "Jobs that were not accepted although their request was right.", ["reason"])


def note_operation(outcome: JobOutcome) -> None:
    """A client that waited has its answer."""
    error = outcome.error.code if outcome.error else ""
    labels = ("generate_content", "image", outcome.job.request.model, error)
    OPERATION.labels(*labels).observe(max(0.0, time.time() - outcome.job.created_at))


def exposition(state: BusState | None, workers: Iterable[WorkerPresence]) -> bytes:
    """In Prometheus' text format; `state` is None while the bus is away."""
    now = CollectorRegistry()
    now.register(_Now(state, workers))
    return generate_latest(REGISTRY) + generate_latest(now)


_seen: set[tuple[str, str, str]] = set()
"""Kinds of workers that this gateway ever saw: one that is gone is shown as 0, so that an alert can tell."""


class _Now(Collector):
    """Gauges of one moment."""

    def __init__(self, state: BusState | None, workers: Iterable[WorkerPresence]) -> None:
        self._state = state
        self._workers = tuple(workers)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("t2i_bus_up", "Whether the bus answers.", value=float(self._state is not None))
        yield from _of_workers(self._workers)
        if self._state is not None:
            yield from _of_queues(self._state)
            yield from _of_streams(self._state)


def _of_workers(workers: tuple[WorkerPresence, ...]) -> Iterator[GaugeMetricFamily]:
    kinds = Tally((worker.service, worker.pool, worker.device) for worker in workers)
    _seen.update(kinds)
    names = ["service", "pool", "device"]
    up = GaugeMetricFamily("t2i_device_up", "Live workers; 0 once the last one is gone.", labels=names)
    slots = GaugeMetricFamily("t2i_worker_slots", "Jobs that the live workers can run at once.", labels=names)
    free = GaugeMetricFamily("t2i_worker_free_slots", "Of them, those that wait for a job.", labels=names)
    memory = GaugeMetricFamily("t2i_worker_memory_bytes", "Resident memory of the live workers.", labels=names)
    for kind in sorted(_seen):
        here = [worker for worker in workers if (worker.service, worker.pool, worker.device) == kind]
        up.add_metric(kind, len(here))
        slots.add_metric(kind, sum(worker.slots for worker in here))
        free.add_metric(kind, sum(worker.free_slots for worker in here))
        memory.add_metric(kind, sum(worker.memory_bytes for worker in here))
    yield from (up, slots, free, memory)


def _of_queues(state: BusState) -> Iterator[GaugeMetricFamily]:
    depth = GaugeMetricFamily("t2i_queue_depth", "Jobs that wait for a worker.", labels=["pool"])
    running = GaugeMetricFamily("t2i_queue_running", "Jobs in workers' hands.", labels=["pool"])
    age = GaugeMetricFamily(
        "t2i_queue_oldest_age_seconds", "Age of the oldest job that has not ended; 0 for none.", labels=["pool"]
    )
    names = ["stream_name", "consumer_name"]
    pending = GaugeMetricFamily("jetstream_consumer_num_pending", "Messages not yet delivered.", labels=names)
    unacked = GaugeMetricFamily("jetstream_consumer_num_ack_pending", "Messages delivered, not settled.", labels=names)
    again = GaugeMetricFamily("jetstream_consumer_num_redelivered", "Of them, delivered before.", labels=names)
    for pool in state.pools:
        depth.add_metric([pool.name], pool.waiting)
        running.add_metric([pool.name], pool.running)
        age.add_metric([pool.name], pool.oldest_age_s)
        consumer = [state.jobs_stream, pool.consumer]
        pending.add_metric(consumer, pool.waiting)
        unacked.add_metric(consumer, pool.running)
        again.add_metric(consumer, pool.redelivered)
    yield from (depth, running, age, pending, unacked, again)


def _of_streams(state: BusState) -> Iterator[GaugeMetricFamily]:
    """Under the names of `prometheus-nats-exporter`."""
    messages = GaugeMetricFamily("jetstream_stream_total_messages", "Messages kept.", labels=["stream_name"])
    size = GaugeMetricFamily("jetstream_stream_total_bytes", "Bytes kept.", labels=["stream_name"])
    copies = GaugeMetricFamily(
        "t2i_stream_replicas",
        "Copies of a stream that are up to date, its leader's among them.",
        labels=["stream_name"],
    )
    wanted = GaugeMetricFamily("t2i_stream_replicas_wanted", "Copies it should have.", labels=["stream_name"])
    for stream in state.streams:
        messages.add_metric([stream.name], stream.messages)
        size.add_metric([stream.name], stream.bytes)
        copies.add_metric([stream.name], stream.replicas)
        wanted.add_metric([stream.name], stream.replicas_wanted)
    yield from (messages, size, copies, wanted)
    yield GaugeMetricFamily("jetstream_account_storage_used", "Bytes on disk.", value=state.storage_used)
    yield GaugeMetricFamily(
        "jetstream_account_max_storage", "Bytes allowed; -1 without a limit.", value=state.storage_limit
    )
