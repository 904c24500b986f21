"""compose.yaml with a Docker engine: `make test-containers`.

The images are built from the base images that the engine has or can pull, unless EASEL_TEST_CONTAINERS is `built`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import openai
import pytest

from tests.support.edge_models import small_model
from tests.support.ports import free_port

__all__ = ["small_model"]

ROOT = Path(__file__).parents[2]
PROJECT = f"easel-test-{os.getpid()}"
START_S = 300

pytestmark = [
    pytest.mark.skipif(not os.environ.get("EASEL_TEST_CONTAINERS"), reason="builds images: make test-containers"),
    pytest.mark.timeout(3600),
]


class Compose(NamedTuple):
    """`docker compose` on this project."""

    command: tuple[str, ...]
    ports: dict[str, str]
    key: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['EASEL_GATEWAY_PORT']}"

    def __call__(self, *words: str) -> str:
        run = subprocess.run(
            [*self.command, "-p", PROJECT, *words],
            cwd=ROOT,
            env=os.environ | self.ports,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]
        return run.stdout


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    """The whole system with one worker, and a key for it; gone afterwards, volumes included."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    assert plugin or shutil.which("docker-compose"), "there is neither 'docker compose' nor docker-compose"
    ports = {name: str(free_port()) for name in ("EASEL_GATEWAY_PORT", "EASEL_PAGE_PORT", "EASEL_GATEWAY_GRPC_PORT")}
    compose = Compose(("docker", "compose") if plugin else ("docker-compose",), ports)
    try:
        if os.environ["EASEL_TEST_CONTAINERS"] != "built":
            compose("build", "nats", "gateway", "diffusion", "enhancer", "edge")
        compose("up", "-d", "--no-build")
        wait_until_ready(compose.url)
        found = re.search(r"API key: (\S+)", compose("logs", "--no-color", "keys"))
        assert found
        yield compose._replace(key=found[1])
    finally:
        compose("--profile", "enhancer", "--profile", "edge", "down", "--volumes", "--timeout", "5")


def wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            if httpx.get(f"{url}/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "the system does not get ready"
        time.sleep(0.2)


def test_the_openai_package_gets_a_picture(compose: Compose) -> None:
    client = openai.OpenAI(base_url=f"{compose.url}/v1", api_key=compose.key)
    image = client.images.generate(prompt="a red fox in the snow", extra_body={"seed": 7})
    assert image.data
    assert base64.b64decode(image.data[0].b64_json or "").startswith(b"\x89PNG")


def test_without_the_key_nothing_is_drawn(compose: Compose) -> None:
    """The gateway listens on all of its container's addresses, so it asks for one."""
    assert httpx.post(f"{compose.url}/v1/images/generations", json={"prompt": "x"}).status_code == 401


async def test_three_workers_share_the_work(compose: Compose) -> None:
    """Twenty jobs at once: each of the workers is seen to draw some."""
    compose("up", "-d", "--no-build", "--no-recreate", "--scale", "diffusion=3")
    headers = {"authorization": f"Bearer {compose.key}"}
    async with httpx.AsyncClient(base_url=compose.url, headers=headers, timeout=300) as http:
        deadline = time.monotonic() + START_S
        while (await http.get("/health")).json().get("workers") != 3:
            assert time.monotonic() < deadline, "three workers do not come"
            await asyncio.sleep(0.2)
        drawn = await asyncio.gather(*(http.post("/generate/async", json={"prompt": f"{n}"}) for n in range(18)))
        assert {answer.status_code for answer in drawn} <= {200, 202}
        workers = set()
        for answer in drawn:
            job = answer.json()["job_id"]
            while (record := (await http.get(f"/job/{job}")).json())["status"] not in ("succeeded", "failed"):
                await asyncio.sleep(0.1)
            assert record["status"] == "succeeded"
            workers.add(record["worker"])
    assert len(workers) == 3


def test_the_edges_graphs_draw_without_a_card(compose: Compose, small_model: Path) -> None:
    """From its volume, on ONNX Runtime."""
    folder = "/opt/pi_axera_sd_generator/models"
    volume = ["-v", f"{PROJECT}_edge-models:{folder}"]
    packed = subprocess.run(["tar", "-C", str(small_model), "-c", "."], capture_output=True, check=True).stdout
    unpack = ["docker", "run", "--rm", "-i", *volume, "easel-edge", "tar", "-x", "-C", folder]
    subprocess.run(unpack, input=packed, check=True)
    compose("--profile", "edge", "up", "-d", "--no-build", "--no-recreate", "edge")
    client = openai.OpenAI(base_url=f"{compose.url}/v1", api_key=compose.key)
    deadline = time.monotonic() + START_S
    while "sd15-lcm" not in [model.id for model in client.models.list()]:
        assert time.monotonic() < deadline, compose("logs", "--no-color", "edge")
        time.sleep(0.2)
    image = client.images.generate(model="sd15-lcm", prompt="a red fox in the snow")
    assert image.data
    assert base64.b64decode(image.data[0].b64_json or "").startswith(b"\x89PNG")


def test_the_enhancer_waits_for_a_server_and_offers_itself(compose: Compose) -> None:
    compose("--profile", "enhancer", "up", "-d", "--no-build", "--no-recreate", "enhancer")
    container = compose("--profile", "enhancer", "ps", "-q", "enhancer").split()[0]
    command = ["docker", "inspect", "--format", "{{.State.Health.Status}} {{.RestartCount}}", container]
    deadline = time.monotonic() + START_S
    while (found := subprocess.run(command, capture_output=True, text=True, check=True).stdout) != "healthy 0\n":
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    assert '"event": "ready"' in compose("--profile", "enhancer", "logs", "--no-color", "enhancer")


@pytest.mark.parametrize("service", ["nats", "gateway", "diffusion"])
def test_a_container_runs_without_rights_it_does_not_need(compose: Compose, service: str) -> None:
    """Not as root, nothing writable but its volumes and /tmp, no capabilities, published on this machine alone."""
    container = compose("ps", "-q", service).split()[0]
    facts = json.loads(subprocess.run(["docker", "inspect", container], capture_output=True, check=True).stdout)[0]
    assert facts["Config"]["User"] == "10001:10001"
    assert facts["HostConfig"]["ReadonlyRootfs"]
    assert facts["HostConfig"]["CapDrop"] == ["ALL"]
    assert facts["HostConfig"]["Memory"] > 0
    assert facts["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    bindings = [binding for bound in (facts["HostConfig"]["PortBindings"] or {}).values() for binding in bound]
    assert {binding["HostIp"] for binding in bindings} <= {"127.0.0.1"}


def test_the_gateways_image_holds_no_torch(compose: Compose) -> None:
    said = compose("exec", "-T", "gateway", "python3", "-m", "pip", "list", "--format=freeze").lower()
    assert [name for name in ("torch", "numpy", "pillow", "diffusers") if f"{name}==" in said] == []
