"""The dialects' words to ours and back, for what a request to the whole gateway would not show."""

from __future__ import annotations

import base64
import json
from typing import get_type_hints

import msgspec
import pytest
from openai.types.image_create_variation_params import ImageCreateVariationParams
from openai.types.image_edit_params import ImageEditParamsBase
from openai.types.image_generate_params import ImageGenerateParamsBase

from contracts.errors import EaselError, ErrorCode
from contracts.events import EventId, Finished, Progress, Queued, Released, Started
from contracts.images import ImageRef
from contracts.jobs import JobOutcome, JobRecord, JobState
from gateway.api.generations import is_prompt_assist
from gateway.api.jobs import convert as jobs
from gateway.api.jobs import schemas as jobs_schemas
from gateway.api.jobs.events import encoded_event
from gateway.api.openai import convert as openai
from gateway.api.openai import schemas
from gateway.replies import json_reply, note_headers
from gateway.resolve import Wanted
from gateway.rpc import convert as grpc
from gateway.rpc import text2image_pb2 as pb
from gateway.service import Drawn, Picture
from tests.gateway.conftest import model_info
from tests.support import builders


def ref(index: int = 0) -> ImageRef:
    return ImageRef(key="k", index=index, seed=7 + index, width=64, height=48, content_type="image/png", size=3)


def drawn(count: int = 1) -> Drawn:
    job = builders.job(prompt="a red fox", num_images=count, width=64, height=48)
    refs = tuple(ref(index) for index in range(count))
    outcome = JobOutcome(job=job, state=JobState.SUCCEEDED, started_at=10.0, finished_at=12.5, images=refs)
    return Drawn(outcome, tuple(Picture(each, b"\x89PN") for each in refs), ())


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (None, (None, None)),
        ("auto", (None, None)),
        ("", (None, None)),
        ("1024x768", (1024, 768)),
        ("512X512", (512, 512)),
    ],
)
def test_openais_sizes(text: str | None, size: tuple[int | None, int | None]) -> None:
    assert openai.size(text) == size


@pytest.mark.parametrize("text", ["big", "1024", "1024x", "x512", "1x2x3", "1e3x512", "\u0663x\u0663", "1024x768\n"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(EaselError) as caught:
        openai.size(text)
    assert (caught.value.code, caught.value.param) == (ErrorCode.INVALID_REQUEST, "size")


@pytest.mark.parametrize(
    ("model", "asked", "links"),
    [
        (None, None, False),
        ("gpt-image-1", None, False),
        ("dall-e-3", None, True),
        ("dall-e-3", "b64_json", False),
        ("fake", "url", True),
    ],
)
def test_links_are_for_those_who_ask_and_for_dall_e(model: str | None, asked: str | None, links: bool) -> None:
    body = msgspec.convert({"prompt": "a", "model": model, "response_format": asked}, schemas.ImagesRequest)
    assert openai.wants_links(body) is links


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"partial_images": 4, "stream": True}, "partial_images"),
        ({"background": "transparent", "output_format": "jpeg"}, "background"),
    ],
)
def test_contradictions_and_values_beyond_the_limits_are_refused(change: dict[str, object], param: str) -> None:
    body = msgspec.convert({"prompt": "a"} | change, schemas.ImagesRequest)
    with pytest.raises(EaselError) as caught:
        openai.wanted(body)
    assert (caught.value.code, caught.value.param) == (ErrorCode.INVALID_REQUEST, param)


def test_partial_images_are_asked_for_in_streams_only() -> None:
    for stream, count in ((True, 2), (False, None)):
        body = msgspec.convert({"prompt": "a", "stream": stream, "partial_images": 2}, schemas.ImagesRequest)
        assert openai.wanted(body).num_previews == count


@pytest.mark.parametrize(
    ("kind", "params", "honoured"),
    [
        (schemas.ImagesRequest, ImageGenerateParamsBase, {"prompt", "model", "n", "size", "background"}),
        (schemas.EditsRequest, ImageEditParamsBase, {"prompt", "model", "n", "size", "background", "input_fidelity"}),
        (schemas.VariationRequest, ImageCreateVariationParams, {"model", "n", "size", "response_format"}),
    ],
)
def test_every_parameter_of_openais_package_is_taken_and_named_where_it_has_no_effect(
    kind: type[schemas.ImagesRequest], params: type, honoured: set[str]
) -> None:
    """A parameter that a newer package adds makes this test ask what becomes of it."""
    fields: dict[str, object] = {
        "prompt": "a",
        "model": "gpt-image-1",
        "n": 2,
        "size": "64x64",
        "background": "opaque",
        "input_fidelity": "high",
        "output_format": "png",
        "output_compression": 90,
        "partial_images": 2,
        "response_format": "b64_json",
        "quality": "high",
        "moderation": "low",
        "complexity": "low",
        "frame_count": 2,
        "frame_duration_ms": 200,
        "svg": {"model": "x"},
        "style": "vivid",
        "user": "u",
        "safety_identifier": "s",
    }
    files = {"image", "mask", "markup"}
    theirs = set(get_type_hints(params))
    assert theirs <= set(fields) | files
    given = {name: value for name, value in fields.items() if name in theirs}
    idle = openai.ignored(msgspec.convert({"prompt": "a"} | given, kind), set(given))
    assert set(given) - idle - {"output_format", "response_format"} == honoured - {"response_format"}


@pytest.mark.parametrize(
    ("fields", "idle"),
    [
        ({"partial_images": 2, "stream": True}, set()),
        ({"output_compression": 90, "output_format": "webp"}, set()),
        ({"response_format": "url", "stream": True}, {"response_format"}),
        ({"input_fidelity": "high", "mask": {"image_url": "data:"}}, {"input_fidelity"}),
        ({"input_fidelity": "high", "strength": 0.3}, {"input_fidelity"}),
        ({"style": "ink", "use_enhancer": True}, set()),
    ],
)
def test_a_field_has_an_effect_or_none_beside_the_others(fields: dict[str, object], idle: set[str]) -> None:
    body = msgspec.convert({"prompt": "a"} | fields, schemas.EditsRequest)
    assert openai.ignored(body, set(fields)) == idle


def test_nulls_mean_nothing() -> None:
    """OpenAI's package sends every None of its caller."""
    fields = {field.encode_name: None for field in msgspec.structs.fields(schemas.ImagesRequest)}
    wanted = openai.wanted(
        msgspec.convert(fields | {"prompt": "a", "stream": False, "partial_images": 0}, schemas.ImagesRequest)
    )
    assert wanted == Wanted(prompt="a")


def test_steps_has_two_names_that_must_agree() -> None:
    for fields, steps in (
        ({"steps": 5}, 5),
        ({"num_inference_steps": 6}, 6),
        ({"steps": 7, "num_inference_steps": 7}, 7),
    ):
        assert (
            openai.wanted(msgspec.convert({"prompt": "a"} | fields, schemas.ImagesRequest)).num_inference_steps == steps
        )
        assert (
            jobs.wanted(msgspec.convert({"prompt": "a"} | fields, jobs_schemas.GenerateRequest)).num_inference_steps
            == steps
        )
    for kind, convert in ((schemas.ImagesRequest, openai.wanted), (jobs_schemas.GenerateRequest, jobs.wanted)):
        with pytest.raises(EaselError, match="contradict"):
            convert(msgspec.convert({"prompt": "a", "steps": 1, "num_inference_steps": 2}, kind))  # type: ignore[operator]


def test_openais_reply_has_exactly_one_of_picture_and_link() -> None:
    """Some clients make two pictures of an item with both."""
    reply = json.loads(json_reply(openai.reply(drawn(2), None)).content)
    assert [base64.b64decode(item["b64_json"]) for item in reply["data"]] == [b"\x89PN"] * 2
    assert not any("url" in item for item in reply["data"])
    assert [item["seed"] for item in reply["data"]] == [7, 8]
    assert (reply["size"], reply["output_format"], reply["created"]) == ("64x48", "png", 12)
    linked = json.loads(json_reply(openai.reply(drawn(), lambda picture: f"http://x/{picture.ref.index}")).content)
    assert linked["data"] == [{"url": "http://x/0", "revised_prompt": "a red fox", "seed": 7}]


def test_usage_is_counted_as_documented() -> None:
    """A word is a text token, 256 pixels are an image token, begun ones count."""
    usage = openai.usage(
        builders.generate_image(prompt="a red  fox", negative_prompt="blurry", width=64, height=65, num_images=2)
    )
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (4, 34, 38)


def test_the_job_services_reply_has_the_seeds_fields() -> None:
    """And all pictures where there are several."""
    reply = json.loads(json_reply(jobs.generated(drawn())).content)
    seed_fields = {"success", "job_id", "image_base64", "width", "height", "seed", "prompt", "generation_time"}
    assert seed_fields <= set(reply)
    assert reply["generation_time"] == 2.5
    assert "images" not in reply
    assert [item["index"] for item in json.loads(json_reply(jobs.generated(drawn(2))).content)["images"]] == [0, 1]


def test_a_record_is_shown_at_every_state() -> None:
    job = builders.job()
    waiting = jobs.job(JobRecord(job=job, state=JobState.QUEUED))
    assert (waiting.status, waiting.progress, waiting.started_at, waiting.total_steps) == ("queued", 0.0, None, 4)
    running = JobRecord(job=job, state=JobState.RUNNING, step=1, total_steps=4, started_at=5.0, attempt=1)
    assert (jobs.job(running).progress, jobs.job(running).started_at) == (0.25, 5.0)
    done = drawn().outcome
    ended = jobs.job(JobRecord(job=done.job, state=done.state, outcome=done))
    assert (ended.progress, ended.finished_at, ended.images[0].url) == (1.0, 12.5, f"/job/{done.job.id}/image?index=0")


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_a_result_before_the_end_is_a_conflict_that_names_the_state(state: JobState) -> None:
    with pytest.raises(EaselError, match=state) as caught:
        jobs.succeeded(JobRecord(job=builders.job(), state=state))
    assert caught.value.code is ErrorCode.CONFLICT


def test_each_kind_of_event_has_its_name_and_id() -> None:
    """Finished is the only one with a state."""
    position = EventId(2, 3)
    events = [
        Queued(at=1.0),
        Started(id=position, at=1.0, worker="w"),
        Progress(id=position, at=1.0, worker="w", started_at=0.5, step=1, total_steps=4),
        Released(id=position, at=1.0, worker="w"),
        Finished(outcome=drawn().outcome),
    ]
    lines = [encoded_event(event).decode().splitlines() for event in events]
    assert [line[1] for line in lines] == [
        f"event: {n}" for n in ("queued", "started", "progress", "released", "finished")
    ]
    assert [line[0] for line in lines] == ["id: 0.0", "id: 2.3", "id: 2.3", "id: 2.3", "id: 999999.999999"]
    data = [json.loads(line[2].removeprefix("data: ")) for line in lines]
    assert all("at" in each for each in data)
    assert data[2]["progress"] == 0.25
    assert [each.get("state") for each in data] == [None] * 4 + ["succeeded"]


@pytest.mark.parametrize(
    ("body", "assist"),
    [
        ('{"prompt": "a"}', False),
        ('{"prompt": "a", "use_enhancer": true}', True),
        ('{"prompt": "a", "use_enhancer": null}', True),
        ('{"prompt": "a", "use_enhancer": false, "model": "m"}', False),
        ('{"prompt": "a", "use_enhancer": false, "model": null}', False),
        ("[]", False),
        ("{", False),
    ],
)
def test_the_two_dialects_of_one_route_are_told_apart(body: str, assist: bool) -> None:
    assert is_prompt_assist(body.encode()) is assist


def test_notes_cannot_break_out_of_their_header() -> None:
    """Field names come from the client."""
    headers = note_headers(ignored="a\r\nset-cookie: x", warning="", job_id="é\x00")
    assert headers == {"x-easel-ignored": "a  set-cookie: x", "x-easel-job-id": "? "}


def test_a_step_cache_passes_through_every_dialect_that_has_it() -> None:
    asked = {"prompt": "a", "cache": "deepcache:5"}
    assert openai.wanted(msgspec.convert(asked, schemas.ImagesRequest)).cache == "deepcache:5"
    assert jobs.wanted(msgspec.convert(asked, jobs_schemas.GenerateRequest)).cache == "deepcache:5"
    model = model_info(caches=("deepcache:3",))
    assert grpc.wanted(pb.ImageRequest(**asked), model).cache == "deepcache:5"
    assert grpc.wanted(pb.ImageRequest(prompt="a"), model).cache is None
