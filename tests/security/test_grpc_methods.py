"""Every gRPC method with every kind of key, on a real gateway."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from gateway.keys import EVERY_SCOPE, Scope, change_key, create_key
from gateway.rpc import text2image_pb2 as pb
from gateway.rpc.server import ERROR_METADATA, SERVICE
from gateway.rpc.text2image_pb2_grpc import Text2ImageServiceStub
from tests.security.conftest import Guarded
from tests.security.routes import METHODS, PUBLIC_SERVICES

OTHERS_JOB = "0" * 32
NOBODYS = "easel_00000000_" + "A" * 43
REQUESTS: dict[str, Any] = {
    "GenerateImage": pb.ImageRequest(prompt="a", width=64, height=64),
    "GenerateImageStream": pb.ImageRequest(prompt="a", width=64, height=64),
    "CancelJob": pb.JobRequest(job_id=OTHERS_JOB),
    "EnhancePrompt": pb.EnhanceRequest(prompt="a"),
    "GetStatus": pb.StatusRequest(),
}
OPENED = {"CancelJob": grpc.StatusCode.NOT_FOUND, "EnhancePrompt": grpc.StatusCode.UNAVAILABLE}
"""What a good key gets here: the job is nobody's, and there is no enhancer. OK for the others."""


class System(NamedTuple):
    channel: grpc.aio.Channel
    keys_file: Path

    def key(self, *scopes: Scope) -> str:
        return create_key(self.keys_file, "test", scopes)

    async def call(self, method: str, key: str = "", request: Any = None) -> tuple[grpc.StatusCode, dict[str, Any]]:
        """The status, and the failure as the trailing metadata has it, with its words."""
        metadata = (("authorization", f"Bearer {key}"),) if key else ()
        calling = getattr(Text2ImageServiceStub(self.channel), method)(request or REQUESTS[method], metadata=metadata)
        try:
            if method == "GenerateImageStream":
                assert [event async for event in calling]
            else:
                await calling
        except grpc.aio.AioRpcError as fault:
            told = dict(fault.trailing_metadata() or ())
            return fault.code(), json.loads(told[ERROR_METADATA]) | {"message": fault.details()}
        return grpc.StatusCode.OK, {}


@pytest.fixture
async def system(guarded: Guarded) -> AsyncIterator[System]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{guarded.gateway.grpc_port}") as channel:
        yield System(channel, guarded.keys_file)


async def test_the_table_names_every_method_and_the_server_has_no_other_service(system: System) -> None:
    methods = pb.DESCRIPTOR.services_by_name[SERVICE.rpartition(".")[2]].methods
    assert set(METHODS) == {method.name for method in methods} == set(REQUESTS)
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    stub = reflection_pb2_grpc.ServerReflectionStub(system.channel)
    async for answer in stub.ServerReflectionInfo(asked):
        assert {found.name for found in answer.list_services_response.service} == {SERVICE, *PUBLIC_SERVICES}


@pytest.mark.parametrize("key", ["", NOBODYS])
async def test_without_a_good_key_no_method_answers(system: System, key: str) -> None:
    for method in METHODS:
        status, told = await system.call(method, key)
        assert (status, told["code"]) == (grpc.StatusCode.UNAUTHENTICATED, "unauthenticated"), method
    health = await health_pb2_grpc.HealthStub(system.channel).Check(health_pb2.HealthCheckRequest())
    assert health.status == health_pb2.HealthCheckResponse.SERVING


async def test_all_other_scopes_together_open_nothing(system: System) -> None:
    for method, scope in METHODS.items():
        key = system.key(*(other for other in EVERY_SCOPE if other is not scope))
        status, told = await system.call(method, key)
        assert (status, told["code"]) == (grpc.StatusCode.PERMISSION_DENIED, "permission_denied"), method
        assert f"scope {scope}" in told["message"], method


async def test_the_one_scope_that_a_method_needs_opens_it(system: System) -> None:
    for method, scope in METHODS.items():
        status, told = await system.call(method, system.key(scope))
        assert status is OPENED.get(method, grpc.StatusCode.OK), (method, told)


async def test_the_job_of_another_key_does_not_exist(system: System) -> None:
    mine = system.key(Scope.GENERATE)
    drawn = await Text2ImageServiceStub(system.channel).GenerateImage(
        REQUESTS["GenerateImage"], metadata=(("x-api-key", mine),)
    )
    asked = pb.JobRequest(job_id=drawn.job_id)
    status, told = await system.call("CancelJob", system.key(*EVERY_SCOPE), asked)
    assert (status, told["code"]) == (grpc.StatusCode.NOT_FOUND, "not_found")
    assert (await system.call("CancelJob", mine, asked))[0] is grpc.StatusCode.OK


async def test_a_revoked_or_narrowed_key_is_so_at_the_next_call(system: System) -> None:
    key = system.key(*EVERY_SCOPE)
    assert (await system.call("GetStatus", key))[0] is grpc.StatusCode.OK
    change_key(system.keys_file, key.split("_")[1], scopes=())
    assert (await system.call("GetStatus", key))[0] is grpc.StatusCode.PERMISSION_DENIED
    change_key(system.keys_file, key.split("_")[1], scopes=EVERY_SCOPE, expires_at=1.0)
    assert (await system.call("GetStatus", key))[0] is grpc.StatusCode.UNAUTHENTICATED
