"""What a worker counts of its jobs."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from contracts.jobs import Job
from runtime.process.metrics import BUCKETS

_WHERE = ["messaging_system", "messaging_destination_template"]

QUEUE_WAIT = Histogram("t2i_queue_wait_seconds", "From acceptance to the first attempt.", ["pool"], buckets=BUCKETS)
REDELIVERIES = Counter("t2i_job_redeliveries", "Deliveries of jobs that another attempt began.", ["pool"])
CONSUMED = Counter("messaging_client_consumed_messages", "Jobs taken from the bus.", _WHERE)
PROCESS = Histogram(
    "messaging_process_duration_seconds",
    "From a job's delivery until it is settled.",
    [*_WHERE, "error_type"],
    buckets=BUCKETS,
)
REQUEST = Histogram(
    "gen_ai_server_request_duration_seconds",
    "Time that a job holds the device.",
    ["gen_ai_operation_name", "gen_ai_output_type", "gen_ai_request_model", "device", "error_type"],
    buckets=BUCKETS,
)
STEP = Histogram("t2i_step_duration_seconds", "Between two reports of progress.", ["model", "device"], buckets=BUCKETS)
LOAD = Histogram(
    "t2i_model_load_duration_seconds", "Bringing a model into memory.", ["model", "device"], buckets=BUCKETS
)
IMAGES = Counter("t2i_images", "Pictures drawn and stored.", ["model", "device"])


def operation(job: Job) -> tuple[str, str]:
    """`gen_ai.operation.name` and `gen_ai.output.type`: OpenTelemetry has no name for drawing."""
    return ("chat", "text") if job.to_enhance else ("generate_content", "image")


def model_of(job: Job) -> str:
    """That draws; "" while its prompt is still worked on."""
    return "" if job.to_enhance else job.request.model
