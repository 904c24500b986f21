"""What deploy/ lets each service do on the bus, tried on real servers with those configurations."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from contracts.errors import EaselError
from runtime.messaging.connection import Bus
from runtime.messaging.settings import BusSettings
from tests.support import bus_rights
from tests.support.bus_rights import DEAF, refused_to_hear, refused_to_publish
from tests.support.chat_server import ChatServer, as_prompt
from tests.support.enhancers import running_enhancer
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import GatewayProcess
from tests.support.shipped_bus import DEPLOY, ShippedBus, compose_bus, kubernetes_bus
from tests.support.systems import answering, offering
from tests.support.workers import running_worker

WRITTEN = ("nats/services.conf", "kubernetes/base/services.conf")
LEADERS = [f"$JS.API.STREAM.MSG.GET.EASEL_{name}" for name in ("JOBS", "OUTCOMES", "IMAGES")]
FORBIDDEN = {
    ("compose", "gateway"): [*bus_rights.GATEWAY, *bus_rights.INTAKE, *LEADERS],
    ("compose", "diffusion"): [*bus_rights.DIFFUSION, "$JS.API.CONSUMER.MSG.NEXT.EASEL_JOBS.pool-edge"],
    ("compose", "enhancer"): bus_rights.ENHANCER,
    ("compose", "operator"): bus_rights.OPERATOR,
    ("compose", "edge"): bus_rights.EDGE,
    ("kubernetes", "gateway"): bus_rights.GATEWAY,
    ("kubernetes", "diffusion"): [*bus_rights.DIFFUSION, *LEADERS],
    ("kubernetes", "enhancer"): [*bus_rights.ENHANCER, *LEADERS],
    ("kubernetes", "operator"): [*bus_rights.OPERATOR, *LEADERS],
}
pytestmark = pytest.mark.xdist_group("shipped_bus")


@pytest.fixture(scope="module")
def buses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ShippedBus]]:
    with contextlib.ExitStack() as stack:
        yield {
            "compose": stack.enter_context(compose_bus(tmp_path_factory.mktemp("compose"))),
            "kubernetes": stack.enter_context(kubernetes_bus(tmp_path_factory.mktemp("kubernetes"))),
        }


@pytest.mark.parametrize("name", WRITTEN)
def test_the_files_say_what_the_code_says(name: str) -> None:
    """After a change: run the command in the file's first line into it."""
    written = (DEPLOY / name).read_text()
    command = re.match(r"# Written by: easel (.*)\n", written)
    assert command
    assert CliRunner().invoke(app, shlex.split(command[1])).stdout == written


@pytest.mark.parametrize(("where", "user"), FORBIDDEN)
async def test_a_service_is_refused_what_is_not_its_work(buses: dict[str, ShippedBus], where: str, user: str) -> None:
    bus = buses[where]
    await refused_to_publish(bus.url.split(",")[0], bus.keys[user], FORBIDDEN[where, user], bus.tls)


@pytest.mark.parametrize(("where", "user"), FORBIDDEN)
async def test_a_service_does_not_hear_what_is_not_for_it(buses: dict[str, ShippedBus], where: str, user: str) -> None:
    bus = buses[where]
    await refused_to_hear(bus.url.split(",")[0], bus.keys[user], DEAF[user], bus.tls)


@pytest.mark.parametrize("where", ["compose", "kubernetes"])
async def test_without_a_key_nobody_enters(buses: dict[str, ShippedBus], where: str) -> None:
    bus = buses[where]
    with pytest.raises(EaselError, match="Authorization Violation"):
        async with Bus.connect(BusSettings(url=bus.url, ca=str(bus.ca or "")), "nobody", 3):
            pass


@pytest.mark.parametrize("start", [compose_bus, kubernetes_bus])
async def test_with_these_rights_a_prompt_is_enhanced_and_drawn(start, tmp_path: Path) -> None:
    """The workers wait for a gateway to declare; nothing that anybody does is refused."""
    with start(tmp_path) as bus:
        gateway = bus.settings("gateway")
        said = ChatServer(as_prompt("a red fox in the snow"))
        with said as language_model, GatewayProcess(gateway, tmp_path / "gateway.log") as process:
            await answering(process)
            async with (
                running_worker(bus.settings("diffusion"), FakeEngine(), name="pod-1", pool="pocket", seen_by=gateway),
                running_enhancer(bus.settings("enhancer"), language_model, name="pod-2", seen_by=gateway),
                httpx.AsyncClient(base_url=process.url, timeout=60) as http,
            ):
                await offering(process)
                drawn = await http.post("/generate/async", json={"prompt": "a red fox", "use_enhancer": True})
                assert drawn.is_success, drawn.text

                async def ended() -> bool:
                    job = (await http.get(f"/job/{drawn.json()['job_id']}")).json()
                    assert job["status"] not in {"failed", "cancelled"}, job
                    return job["status"] == "succeeded"

                assert await eventually(ended, 60)
                assert (await http.get("/metrics")).is_success
        assert bus.violations() == []
