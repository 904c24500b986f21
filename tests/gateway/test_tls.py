"""HTTPS and gRPC with a certificate, on a real gateway."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from typer.testing import CliRunner

from cli.__main__ import app
from runtime.messaging.settings import BusSettings
from tests.support.certificates import Certificates, make_certificates
from tests.support.eventually import eventually
from tests.support.gateways import GatewayProcess

NOWHERE = BusSettings(url="nats://127.0.0.1:1")


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path / "certificates")


@contextlib.asynccontextmanager
async def gateway(folder: Path, **environment: str) -> AsyncIterator[GatewayProcess]:
    with GatewayProcess(NOWHERE, folder / "log", **environment) as process:

        async def listens() -> bool:
            assert process.process.poll() is None, process.log_text()
            return '"event": "listening"' in process.log_text()

        await eventually(listens)
        yield process


def tls(made: Certificates) -> dict[str, str]:
    return {"EASEL_GATEWAY_TLS_CERT": str(made.cert), "EASEL_GATEWAY_TLS_KEY": str(made.key)}


def easel(*words: str, **environment: str) -> tuple[int, str]:
    ended = CliRunner().invoke(app, [*words], env=environment)
    return ended.exit_code, ended.output


async def test_http_and_grpc_are_encrypted(made: Certificates, tmp_path: Path) -> None:
    async with gateway(tmp_path, **tls(made)) as process:
        trusted = ssl.create_default_context(cafile=str(made.ca))
        async with httpx.AsyncClient(verify=trusted) as http:
            assert (await http.get(f"{process.url}/livez")).is_success
        authority = grpc.ssl_channel_credentials(made.ca.read_bytes())
        async with grpc.aio.secure_channel(f"localhost:{process.grpc_port}", authority) as channel:
            health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            assert health.status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_whoever_speaks_in_the_clear_gets_nothing(made: Certificates, tmp_path: Path) -> None:
    async with gateway(tmp_path, **tls(made)) as process:
        async with httpx.AsyncClient() as http:
            with pytest.raises(httpx.TransportError):
                await http.get(f"{process.url.replace('https', 'http')}/livez")
        async with grpc.aio.insecure_channel(f"localhost:{process.grpc_port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_the_command_line_trusts_an_authority_of_ones_own_and_says_what_is_wrong(
    made: Certificates, tmp_path: Path
) -> None:
    other = make_certificates(tmp_path / "other")
    async with gateway(tmp_path, **tls(made)) as process:
        status, said = easel("status", "--url", process.url, "--json", EASEL_CA=str(made.ca))
        assert "no gateway answers" not in said, (status, said)
        for ca in ("", str(other.ca)):
            status, said = easel("status", "--url", process.url, EASEL_CA=ca)
            assert (status, "set EASEL_CA to the certificate of the authority" in said) == (3, True), said
        status, said = easel("status", "--url", process.url.replace("https", "http"))
        assert (status, "write https://" in said) == (3, True), said
        status, said = easel("status", "--url", process.url, EASEL_CA=str(tmp_path / "nowhere.pem"))
        assert (status, "nowhere.pem cannot be read" in said) == (2, True), said


async def test_https_asked_of_a_gateway_without_a_certificate_says_so(tmp_path: Path) -> None:
    async with gateway(tmp_path) as process:
        status, said = easel("status", "--url", process.url.replace("http", "https"))
        assert (status, "write http://" in said) == (3, True), said


@pytest.mark.parametrize(
    ("cert", "key", "said"),
    [
        ("cert", "client_key", "key values mismatch"),
        ("missing", "key", "No such file"),
        ("ca", "", "need each other"),
    ],
)
def test_a_certificate_that_cannot_be_used_ends_the_start(
    made: Certificates, tmp_path: Path, cert: str, key: str, said: str
) -> None:
    paths = made._asdict() | {"missing": tmp_path / "missing.pem", "": ""}
    given = {"EASEL_GATEWAY_TLS_CERT": str(paths[cert]), "EASEL_GATEWAY_TLS_KEY": str(paths[key])}
    with GatewayProcess(NOWHERE, tmp_path / "log", **given) as process:
        assert process.process.wait(20) == 2
        assert said.lower() in process.log_text().lower()
        assert "Traceback" not in process.log_text()
