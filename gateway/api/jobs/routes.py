"""`/generate` (reached through `gateway.api.generations`), `/generate/async`, `/job/…`, `/jobs` and `/workers`."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from contracts.events import END, EventId
from gateway.api.jobs import convert, schemas
from gateway.api.jobs.events import event_stream
from gateway.api.operation import taking
from gateway.auth import HttpRequest, owner
from gateway.body import parse, read_json
from gateway.disconnect import until_gone
from gateway.once import once_of
from gateway.replies import Answer, json_reply, note_headers
from gateway.service import Drawn, Service
from gateway.sse import HEADERS
from gateway.submission import Submitted

_TAGS = ["Jobs"]
_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


async def generate(request: HttpRequest, data: bytes, service: Service) -> Answer:
    """Draw, and wait for the picture."""
    body = parse(data, schemas.GenerateRequest)
    once, gone = once_of(request.headers), partial(until_gone, request)
    drawn = await service.draw(convert.wanted(body), owner(request), gone, once)
    return json_reply(convert.generated(drawn), headers=note_headers(warning="; ".join(drawn.warnings)))


@post(
    "/generate/async",
    status_code=202,
    summary="Queue a job and return its id",
    tags=_TAGS,
    operation_id="generateAsync",
    operation_class=taking(schemas.GenerateRequest),
    responses={202: ResponseSpec(schemas.SubmittedReply, description="Queued, and durable")},
)
async def generate_async(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    body = parse(await read_json(request, service.settings, service.settings.max_upload_bytes), schemas.GenerateRequest)
    return _queued(await service.submit(convert.wanted(body), owner(request), once_of(request.headers)))


def _queued(submitted: Submitted) -> Answer:
    job, warnings = submitted
    headers = {"location": f"/job/{job.id}", **note_headers(warning="; ".join(warnings))}
    return json_reply(convert.submitted(job.id), 202, headers)


@post(
    "/job/{job_id:str}/retry",
    status_code=202,
    summary="Queue a job again, with the same parameters and a new seed",
    tags=_TAGS,
    operation_id="retryJob",
    responses={202: ResponseSpec(schemas.SubmittedReply, description="Another job, queued and durable")},
)
async def retry_job(job_id: FromPath[str], request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    return _queued(await service.retry(job_id, owner(request), once_of(request.headers)))


@post(
    "/job/{job_id:str}/edit",
    status_code=202,
    summary="Queue a job that starts from a picture of another",
    tags=_TAGS,
    operation_id="editJob",
    operation_class=taking(schemas.EditRequest),
    responses={202: ResponseSpec(schemas.SubmittedReply, description="Another job, queued and durable")},
)
async def edit_job(
    job_id: FromPath[str],
    request: HttpRequest,
    service: NamedDependency[Service],
) -> Answer:
    body = parse(await read_json(request, service.settings, service.settings.max_upload_bytes), schemas.EditRequest)
    wanted = convert.wanted(body)
    outcome = convert.succeeded(await service.job(job_id, owner(request)))
    if wanted.init_image is None:
        picture = await service.picture(outcome, body.index)
        wanted = msgspec.structs.replace(wanted, init_image=picture.data, model=body.model or outcome.job.request.model)
    return _queued(await service.submit(wanted, owner(request), once_of(request.headers)))


@get(
    "/job/{job_id:str}",
    summary="A job's state and progress",
    tags=_TAGS,
    operation_id="getJob",
    responses={200: ResponseSpec(schemas.JobReply, description="The job")},
)
async def get_job(job_id: FromPath[str], request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    return json_reply(convert.job(await service.job(job_id, owner(request))))


@delete(
    "/job/{job_id:str}",
    status_code=200,
    summary="Cancel a job; one that has ended stays as it is",
    tags=_TAGS,
    operation_id="cancelJob",
    responses={200: ResponseSpec(schemas.JobReply, description="The job afterwards")},
)
async def cancel_job(job_id: FromPath[str], request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    return json_reply(convert.job(await service.cancel(job_id, owner(request))))


@get(
    "/job/{job_id:str}/result",
    summary="The pictures of a job that succeeded; 409 before",
    tags=_TAGS,
    operation_id="getJobResult",
    responses={200: ResponseSpec(schemas.GenerateReply, description="The pictures")},
)
async def get_result(job_id: FromPath[str], request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    outcome = convert.succeeded(await service.job(job_id, owner(request)))
    pictures = await asyncio.gather(*(service.picture(outcome, ref.index) for ref in outcome.images))
    return json_reply(convert.generated(Drawn(outcome, tuple(pictures), ())))


@get(
    "/job/{job_id:str}/image",
    summary="One picture as a file; 409 before the job succeeded",
    tags=_TAGS,
    operation_id="getJobImage",
    responses={200: ResponseSpec(bytes, description="The picture", media_type="image/png")},
)
async def get_image(
    job_id: FromPath[str],
    request: HttpRequest,
    service: NamedDependency[Service],
    index: Annotated[int, QueryParameter(ge=0, description="Which of several pictures.")] = 0,
) -> Answer:
    outcome = convert.succeeded(await service.job(job_id, owner(request)))
    ref, data = await service.picture(outcome, index)
    return _file(f"{job_id}-{index}", ref.content_type, data)


@get(
    "/job/{job_id:str}/thumbnail",
    summary="One picture in a small form; 409 before the job succeeded",
    tags=_TAGS,
    operation_id="getJobThumbnail",
    responses={200: ResponseSpec(bytes, description="A JPEG of at most 384 pixels a side", media_type="image/png")},
)
async def get_thumbnail(
    job_id: FromPath[str],
    request: HttpRequest,
    service: NamedDependency[Service],
    index: Annotated[int, QueryParameter(ge=0, description="Which of several pictures.")] = 0,
) -> Answer:
    outcome = convert.succeeded(await service.job(job_id, owner(request)))
    return _file(f"{job_id}-{index}-small", *await service.thumbnail(outcome, index))


def _file(name: str, content_type: str, data: bytes) -> Answer:
    headers = {
        "content-disposition": f'inline; filename="{name}.{_SUFFIXES.get(content_type, "bin")}"',
        "cache-control": "private, max-age=86400, immutable",
    }
    return Response(data, media_type=content_type, headers=headers)


@get(
    "/job/{job_id:str}/events",
    summary="A job's events from the beginning, or after Last-Event-ID, until it ends",
    tags=_TAGS,
    operation_id="followJob",
    media_type="text/event-stream",
    responses={200: ResponseSpec(schemas.JobEventReply, description="Events", media_type="text/event-stream")},
)
async def follow_job(
    job_id: FromPath[str],
    request: HttpRequest,
    service: NamedDependency[Service],
    draining: NamedDependency[asyncio.Event],
) -> Response[bytes] | Stream:
    await service.job(job_id, owner(request))
    after = EventId.parse(request.headers.get("last-event-id", ""))
    if after is not None and after >= END:
        return Response(b"", status_code=204)  # tells a browser's EventSource not to come back
    return Stream(event_stream(service, job_id, after, draining), media_type="text/event-stream", headers=HEADERS)


@get(
    "/jobs",
    summary="The newest jobs first",
    tags=_TAGS,
    operation_id="listJobs",
    responses={200: ResponseSpec(schemas.JobListReply, description="At most 100 jobs")},
)
async def list_jobs(request: HttpRequest, service: NamedDependency[Service]) -> Answer:
    records = await service.jobs(owner(request))
    return json_reply(schemas.JobListReply(jobs=[convert.job(record) for record in records]))


@get(
    "/workers",
    summary="The live workers",
    tags=_TAGS,
    operation_id="listWorkers",
    responses={200: ResponseSpec(schemas.WorkerListReply, description="Workers by id")},
)
async def list_workers(service: NamedDependency[Service]) -> Answer:
    return json_reply(schemas.WorkerListReply(workers=[convert.worker(worker) for worker in service.workers()]))


HANDLERS = (
    generate_async,
    retry_job,
    edit_job,
    get_job,
    cancel_job,
    get_result,
    get_image,
    get_thumbnail,
    follow_job,
    list_jobs,
    list_workers,
)
