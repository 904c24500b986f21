"""The gRPC server: the same use cases, keys, limits and errors as HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from contracts.errors import EaselError
from contracts.images import ModelInfo
from contracts.jobs import JobOutcome, JobState
from gateway.certificate import grpc_credentials
from gateway.keys import Scope
from gateway.listening import CannotListenError, authority
from gateway.resolve import choose_model
from gateway.routing import at_device, offered_models
from gateway.rpc import convert, status
from gateway.rpc import text2image_pb2 as pb
from gateway.rpc.observer import CallObserver
from gateway.rpc.text2image_pb2_grpc import Text2ImageServiceServicer, add_Text2ImageServiceServicer_to_server
from gateway.service import Service, job_fault
from gateway.settings import GatewaySettings
from gateway.submission import Owner

log = structlog.get_logger()

Context = grpc.aio.ServicerContext[Any, Any]

SERVICE = "text2image.Text2ImageService"
REQUEST_MARGIN = 256 << 10
"""Bytes of a request beside its pictures."""
ERROR_METADATA = "easel-error"
"""Trailing metadata with the failure as JSON."""


class Text2ImageService(Text2ImageServiceServicer):
    """Every call authenticates first; every EaselError becomes its gRPC status."""

    def __init__(self, service: Service, settings: GatewaySettings) -> None:
        self._service = service
        self._settings = settings

    async def GenerateImage(self, request: pb.ImageRequest, context: Context) -> pb.ImageResponse:  # noqa: N802
        """One picture. A cancelled call, or one past its deadline, cancels the job."""
        async with _told(context):
            owner = self._owner(context)
            gone = asyncio.Event()

            async def until_gone() -> None:
                await gone.wait()

            wanted = convert.wanted(request, self._model(request))
            drawing = asyncio.create_task(self._service.draw(wanted, owner, until_gone))
            try:
                drawn = await asyncio.shield(drawing)
            except asyncio.CancelledError:
                gone.set()
                await asyncio.wait([drawing])
                raise
            return convert.response(drawn.outcome, drawn.pictures[0])
        raise AssertionError  # `_told` has ended the call

    async def GenerateImageStream(  # noqa: N802
        self, request: pb.ImageRequest, context: Context
    ) -> AsyncIterator[pb.ImageEvent]:
        """The job's id, its steps, its picture."""
        async with _told(context):
            owner = self._owner(context)
            submitted = await self._service.submit(convert.wanted(request, self._model(request)), owner)
            job_id = submitted.job.id
            async with self._cancelled_with_the_call(job_id, owner):
                yield pb.ImageEvent(accepted=pb.Accepted(job_id=job_id))
                async with self._service.follow(job_id, None) as events:
                    async for event in events:
                        if said := convert.progress(event):
                            yield said
                        if outcome := convert.ended(event):
                            yield pb.ImageEvent(finished=await self._finished(outcome))

    async def CancelJob(self, request: pb.JobRequest, context: Context) -> pb.JobStatus:  # noqa: N802
        """End a job of the caller's."""
        async with _told(context):
            record = await self._service.cancel(request.job_id, self._owner(context))
            return pb.JobStatus(job_id=record.job.id, state=record.state)
        raise AssertionError

    async def EnhancePrompt(self, request: pb.EnhanceRequest, context: Context) -> pb.EnhanceResponse:  # noqa: N802
        """A better prompt; a cancelled call, or one past its deadline, waits for it no longer."""
        async with _told(context):
            self._owner(context, Scope.ENHANCE)
            answer = await self._service.prompting.enhance(request.prompt, request.model or None, request.style or None)
            return convert.enhanced(request.prompt, answer)
        raise AssertionError

    async def GetStatus(self, _request: pb.StatusRequest, context: Context) -> pb.StatusResponse:  # noqa: N802
        """Models, workers and queue."""
        async with _told(context):
            self._owner(context, Scope.READ)
            return await status.status_response(self._service)
        raise AssertionError

    def _owner(self, context: Context, scope: Scope = Scope.GENERATE) -> Owner:
        metadata = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        caller = self._service.access.caller(metadata, _host(context.peer()))
        caller.check(scope)
        return caller.owner

    def _model(self, request: pb.ImageRequest) -> ModelInfo:
        name, workers = at_device(request.model, self._service.workers())
        return choose_model(name, [model for model, _ in offered_models(workers).values()], self._settings)

    async def _finished(self, outcome: JobOutcome) -> pb.ImageResponse:
        if outcome.state is not JobState.SUCCEEDED:
            raise job_fault(outcome)
        return convert.response(outcome, await self._service.picture(outcome, 0))

    @contextlib.asynccontextmanager
    async def _cancelled_with_the_call(self, job_id: str, owner: Owner) -> AsyncIterator[None]:
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            await asyncio.shield(asyncio.ensure_future(self._service.cancel(job_id, owner)))
            raise


def _host(peer: str) -> str:
    """`127.0.0.1` of `ipv4:127.0.0.1:50000`, `::1` of `ipv6:%5B::1%5D:50000`."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")


@contextlib.asynccontextmanager
async def _told(context: Context) -> AsyncIterator[None]:
    """End the call with the status of whatever EaselError the block raises."""
    try:
        yield
    except EaselError as fault:
        context.set_trailing_metadata(((ERROR_METADATA, convert.error_json(fault)),))
        await context.abort(convert.GRPC_STATUS[fault.code], fault.message)
    except Exception as fault:
        if isinstance(fault, grpc.aio.AbortError):
            raise
        log.exception("a gRPC call broke")
        await context.abort(grpc.StatusCode.INTERNAL, "a fault of the gateway; its log has the details")


class Health(health_pb2_grpc.HealthServicer):
    """The standard health service: SERVING while a worker can be reached."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def Check(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """Now."""
        if request.service not in ("", SERVICE):
            await context.abort(grpc.StatusCode.NOT_FOUND, f"there is no service {request.service!r}")
        return self._now()

    async def Watch(  # noqa: N802
        self, _request: health_pb2.HealthCheckRequest, _context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Now, and at every change."""
        last = None
        while True:
            now = self._now()
            if now != last:
                yield now
            last = now
            await asyncio.sleep(1)

    def _now(self) -> health_pb2.HealthCheckResponse:
        states = health_pb2.HealthCheckResponse
        return states(status=states.SERVING if status.is_serving(self._service) else states.NOT_SERVING)


@contextlib.asynccontextmanager
async def serving(service: Service, settings: GatewaySettings) -> AsyncIterator[int]:
    """Listen while the block runs; gives the port. Calls under way get `soft_stop_s` to end.

    Raises:
        CannotListenError
    """
    largest = settings.max_upload_bytes + REQUEST_MARGIN
    server = grpc.aio.server(
        interceptors=[CallObserver()],
        options=[("grpc.max_receive_message_length", largest), ("grpc.so_reuseport", 0)],
    )
    add_Text2ImageServiceServicer_to_server(Text2ImageService(service, settings), server)  # type: ignore[no-untyped-call]
    health_pb2_grpc.add_HealthServicer_to_server(Health(service), server)
    names = (SERVICE, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    port = _listen(server, settings)
    await server.start()
    try:
        yield port
    finally:
        await server.stop(settings.soft_stop_s)


def _listen(server: grpc.aio.Server, settings: GatewaySettings) -> int:
    address, credentials = authority(settings.host, settings.grpc_port), grpc_credentials(settings)
    try:
        return server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    except RuntimeError as fault:
        raise CannotListenError("gRPC", address, "EASEL_GATEWAY_GRPC_PORT") from fault
