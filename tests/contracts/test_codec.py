"""Messages survive the journey, and an upgrade."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import codec
from contracts.errors import ErrorCode, JobError
from contracts.events import Enhanced, EventId, Finished, JobEvent, Progress, Queued, Released, Started, StoredEvent
from contracts.images import GenerateImage, ImageFormat, ImageRef, Lora, ModelInfo
from contracts.jobs import Job, JobOutcome, JobState
from contracts.prompts import EnhancePrompt, PromptSource
from contracts.workers import WorkerPresence
from runtime.messaging.job_events import readable_event

GOLDEN = Path(__file__).parent.parent / "wire"

REQUEST = GenerateImage(
    model="pocket",
    prompt="a red fox in the snow",
    negative_prompt="blur",
    width=256,
    height=320,
    num_inference_steps=8,
    guidance_scale=2.5,
    seed=42,
    num_images=2,
    output_format=ImageFormat.WEBP,
    output_compression=90,
)
JOB = Job(id="0" * 32, stages=(REQUEST,), pool="pocket", owner="k1", created_at=1.5, traceparent="00-a-b-01")
ENHANCE_JOB = Job(
    id="0" * 32,
    stages=(
        EnhancePrompt(
            prompt="a fox", model="pocket", family="f", style="ink", timeout_s=9.0, source=PromptSource.MODEL
        ),
        REQUEST,
    ),
    pool="enhancer",
    next_pool="pocket",
    created_at=1.5,
)
REF = ImageRef(key=f"{JOB.id}.1.0", index=0, seed=42, width=256, height=320, content_type="image/webp", size=9, parts=1)
OUTCOME = JobOutcome(
    job=JOB,
    state=JobState.SUCCEEDED,
    finished_at=3.0,
    worker="w",
    attempt=1,
    started_at=2.0,
    images=(REF,),
    error=JobError(code=ErrorCode.CANCELLED, message="why", param="size"),
    last_event=8,
)
MODEL = ModelInfo(
    id="pocket",
    family="stable-diffusion",
    default_width=256,
    default_height=256,
    size_multiple=64,
    min_size=128,
    max_size=512,
    max_pixels=262144,
    default_steps=8,
    min_steps=1,
    max_steps=50,
    default_guidance_scale=2.5,
    max_guidance_scale=20.0,
    negative_prompt=True,
    licence="Apache-2.0",
    source="bundled",
)
LORA_JOB = JOB.with_request(msgspec.structs.replace(REQUEST, loras=(Lora("ink"), Lora("styles/fog", -0.5))))
LORA_PRESENCE = WorkerPresence(
    id="w",
    service="diffusion",
    pool="pocket",
    models=(msgspec.structs.replace(MODEL, loras=("ink", "styles/fog")),),
    device="cpu",
    slots=1,
    free_slots=0,
    started_at=1.0,
    sent_at=2.0,
)
MESSAGES: dict[str, tuple[msgspec.Struct, object]] = {
    "job": (JOB, Job),
    "outcome": (OUTCOME, JobOutcome),
    "started": (Started(id=EventId(1, 0), at=2.0, worker="w"), StoredEvent),
    "progress": (Progress(id=EventId(1, 1), at=2.5, worker="w", started_at=2.0, step=1, total_steps=8), StoredEvent),
    "enhanced": (
        Enhanced(id=EventId(1, 1), at=2.2, worker="e", prompt="a fox, soft light", source=PromptSource.PARTIAL),
        StoredEvent,
    ),
    "enhance-job": (ENHANCE_JOB, Job),
    "lora-job": (LORA_JOB, Job),
    "lora-presence": (LORA_PRESENCE, WorkerPresence),
    "released": (Released(id=EventId(1, 2), at=2.7, worker="w"), StoredEvent),
    "presence": (
        WorkerPresence(
            id="w",
            service="diffusion",
            pool="pocket",
            models=(MODEL,),
            device="cpu",
            slots=1,
            free_slots=0,
            loaded=("pocket",),
            host="h",
            version="0.1.0",
            started_at=1.0,
            sent_at=2.0,
            memory_bytes=3,
        ),
        WorkerPresence,
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_written_by_the_first_release_is_still_read(name: str) -> None:
    """The golden files never change within a schema version; they are hexadecimal msgpack."""
    message, kind = MESSAGES[name]
    golden = bytes.fromhex((GOLDEN / f"v{codec.SCHEMA_VERSION}-{name}.hex").read_text())
    assert codec.decode(golden, kind) == message  # type: ignore[arg-type, comparison-overlap]


@pytest.mark.parametrize("name", MESSAGES)
def test_an_older_reader_passes_over_fields_that_a_newer_writer_added(name: str) -> None:
    """At every depth."""
    message, kind = MESSAGES[name]
    version, body = msgspec.msgpack.decode(codec.encode(message))
    newer = msgspec.msgpack.encode([version, _with_additions(body)])
    assert codec.decode(newer, kind) == message  # type: ignore[arg-type, comparison-overlap]


def _with_additions(value: object) -> object:
    if isinstance(value, dict):
        return {**{key: _with_additions(item) for key, item in value.items()}, "added_later": {"x": [1, 2]}}
    if isinstance(value, list):
        return [_with_additions(item) for item in value]
    return value


def test_an_event_of_a_kind_that_only_newer_versions_know_is_passed_over() -> None:
    """A follower can do without it."""
    unknown = msgspec.msgpack.encode([codec.SCHEMA_VERSION, {"type": "previewed", "id": {"attempt": 1, "number": 3}}])
    assert readable_event(unknown) is None


@pytest.mark.parametrize("data", [b"", b"junk", msgspec.msgpack.encode([1]), msgspec.msgpack.encode({"id": 1})])
def test_what_is_not_a_message_is_refused_by_name(data: bytes) -> None:
    """Never another exception."""
    with pytest.raises(codec.SchemaMismatch):
        codec.decode(data, Job)


def test_a_message_of_another_schema_version_says_which() -> None:
    """So that an operator knows what to upgrade."""
    data = msgspec.msgpack.encode([codec.SCHEMA_VERSION + 1, {}])
    with pytest.raises(codec.SchemaMismatch, match=f"schema version {codec.SCHEMA_VERSION + 1}"):
        codec.decode(data, Job)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    """Anything at all may arrive on a subject."""
    try:
        codec.decode(data, JobOutcome)
    except codec.SchemaMismatch:
        return


@given(st.integers(0, 999_999), st.integers(0, 999_999))
def test_an_event_id_is_read_back_as_written(attempt: int, number: int) -> None:
    """It travels as SSE's id and comes back as Last-Event-ID."""
    assert EventId.parse(str(EventId(attempt, number))) == EventId(attempt, number)


@given(st.text(max_size=20))
def test_any_other_text_is_no_event_id(text: str) -> None:
    """A client may send whatever it likes."""
    parsed = EventId.parse(text)
    assert parsed is None or EventId.parse(str(parsed)) == parsed


def test_every_event_has_an_id_and_a_time() -> None:
    """Followers order and show events by these alone."""
    events: list[JobEvent] = [Queued(at=1.0), Finished(outcome=OUTCOME)]
    events += [message for message, kind in MESSAGES.values() if kind is StoredEvent]  # type: ignore[misc]
    assert min(event.id for event in events) == EventId(0, 0)
    assert all(event.at >= 1.0 for event in events)


if __name__ == "__main__":  # writes the golden files of a new schema version
    for name, (message, _) in MESSAGES.items():
        path = GOLDEN / f"v{codec.SCHEMA_VERSION}-{name}.hex"
        assert not path.exists(), f"{path} exists: golden files do not change"
        path.write_text(codec.encode(message).hex() + "\n")
        print(json.dumps(msgspec.to_builtins(message)))
