"""What is told of one attempt at a job: metrics always, spans where they are traced."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from contracts.jobs import Job, attempt_at_stage
from runtime.messaging.job_queue import Delivery
from runtime.messaging.metrics import SYSTEM
from runtime.process import telemetry
from runtime.worker import metrics


class Observation:
    """One attempt. `step` is called in the engine's thread, all else in the event loop."""

    def __init__(self, delivery: Delivery, device: str) -> None:
        self._delivery = delivery
        self._device = device
        self._model = ""
        self._computing = ""
        """Trace context of the span that steps belong to."""
        self._stepped_ns = 0

    @contextlib.contextmanager
    def processing(self) -> Iterator[None]:
        """From delivery to settlement."""
        template, began, error = self._delivery.template, time.perf_counter(), ""
        metrics.CONSUMED.labels(SYSTEM, template).inc()
        attributes: telemetry.Attributes = {
            "messaging.system": SYSTEM,
            "messaging.operation.type": "process",
            "messaging.destination.template": template,
            "t2i.job.id": self._delivery.job_id,
            "t2i.delivery": self._delivery.attempt,
        }
        try:
            with telemetry.span(f"process {template}", "consumer", attributes, parent=self._delivery.traceparent):
                yield
        except Exception as fault:
            error = type(fault).__name__
            raise
        finally:
            metrics.PROCESS.labels(SYSTEM, template, error).observe(time.perf_counter() - began)

    def began(self, job: Job, attempt: int) -> None:
        """The job could be read, and is worked on."""
        self._model = metrics.model_of(job)
        if attempt_at_stage(attempt) > 1:
            metrics.REDELIVERIES.labels(job.pool).inc()
        elif attempt == 1:
            metrics.QUEUE_WAIT.labels(job.pool).observe(max(0.0, time.time() - job.created_at))

    @contextlib.contextmanager
    def computing(self, job: Job) -> Iterator[None]:
        """The part that holds the device."""
        operation, output = metrics.operation(job)
        began, error = time.perf_counter(), ""
        self._stepped_ns = time.time_ns()
        attributes = {
            "gen_ai.operation.name": operation,
            "gen_ai.output.type": output,
            "gen_ai.request.model": self._model,
            "t2i.device": self._device,
        }
        try:
            with telemetry.span(f"{operation} {self._model}".strip(), "internal", attributes):
                self._computing = telemetry.here()
                yield
        except BaseException as fault:
            error = type(fault).__name__
            raise
        finally:
            took = time.perf_counter() - began
            metrics.REQUEST.labels(operation, output, self._model, self._device, error).observe(took)

    def step(self, done: int, total: int) -> None:
        """The engine came one step further."""
        before, self._stepped_ns = self._stepped_ns, time.time_ns()
        metrics.STEP.labels(self._model, self._device).observe((self._stepped_ns - before) / 1e9)
        attributes = {"t2i.step": done, "t2i.total_steps": total}
        telemetry.record("step", before, self._stepped_ns, attributes, parent=self._computing)

    @contextlib.contextmanager
    def delivering(self) -> Iterator[None]:
        """Encoding and storing what was computed."""
        with telemetry.span("deliver"):
            yield

    def ended(self, pictures: int) -> None:
        """With so many pictures, and this end stands."""
        metrics.IMAGES.labels(self._model, self._device).inc(pictures)
