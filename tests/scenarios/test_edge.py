"""A device joins from behind a network that fails: it is given work, lost in the middle of it, and used again."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.support.edge_hub import Hub, running_hub
from tests.support.edge_models import patient_model, small_model  # noqa: F401  fixtures are found by name
from tests.support.edge_network import NatNetwork, nat_network  # noqa: F401  a fixture
from tests.support.edge_process import EdgeProcess
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import GatewayProcess
from tests.support.relay import Relay
from tests.support.systems import answering
from tests.support.workers import running_worker

pytestmark = pytest.mark.timeout(400)  # more than all waits for events together

LONG = {"prompt": "a fox", "model": "sd15-lcm@pi-07", "num_images": 10, "steps": 60}
"""At least some seconds of work on the device, none on its replacement."""
BRIEF = {"prompt": "a boat", "model": "sd15-lcm@pi-07", "steps": 2, "seed": 3}


class System:
    """A hub, a gateway and its client."""

    def __init__(self, hub: Hub, http: httpx.AsyncClient) -> None:
        self.hub = hub
        self.http = http

    async def workers(self) -> list[str]:
        found = (await self.http.get("/workers")).json()
        return [worker["id"] for worker in found.get("workers", [])]

    async def until_offered_by(self, *names: str) -> None:
        async def look() -> bool:
            return set(names) <= set(await self.workers())

        await eventually(look, within_s=60)

    async def until_gone(self, name: str) -> None:
        async def look() -> bool:
            return name not in await self.workers()

        await eventually(look, within_s=60)

    async def begin(self, **asked: Any) -> str:
        answer = await self.http.post("/generate/async", json=asked)
        assert answer.is_success, answer.text
        job_id: str = answer.json()["job_id"]
        return job_id

    async def job_when(self, job_id: str, **wanted: Any) -> dict[str, Any]:
        """The job once its fields are these."""

        async def look() -> dict[str, Any] | None:
            job = (await self.http.get(f"/job/{job_id}")).json()
            assert job.get("status") not in {"failed", "cancelled"}, job
            return job if all(job.get(name) == value for name, value in wanted.items()) else None

        return await eventually(look, within_s=60)


@contextlib.asynccontextmanager
async def system(folder: Path, *names: str) -> AsyncIterator[System]:
    with running_hub(folder / "hub", *names) as hub:
        with GatewayProcess(hub.settings(), folder / "gateway.log") as gateway:
            await answering(gateway)
            async with httpx.AsyncClient(base_url=gateway.url, timeout=60) as http:
                yield System(hub, http)


async def cut_off_in_the_middle(running: System, cut: Any, mend: Any) -> None:
    """The scenario, whatever the network: `cut` takes the device away, `mend` lets it back."""
    studio = FakeEngine(models=("sd15-lcm",))
    async with running_worker(running.hub.worker_settings(), studio, name="studio", seen_by=running.hub.settings()):
        await running.until_offered_by("pi-07", "studio")
        job_id = await running.begin(**LONG)
        await running.job_when(job_id, status="running", worker="pi-07")
        assert studio.drawn == []
        await cut()
        done = await running.job_when(job_id, status="succeeded")
        assert done["worker"] == "studio"
        assert studio.drawn == ["a fox"]
        picture = await running.http.get(f"/job/{job_id}/image", params={"index": 9})
        assert picture.content.startswith(b"\x89PNG")
        await running.until_gone("pi-07")
        await mend()
        await running.until_offered_by("pi-07")
        again = await running.begin(**BRIEF)
        assert (await running.job_when(again, status="succeeded"))["worker"] == "pi-07"
        assert (await running.job_when(job_id))["worker"] == "studio"  # the first outcome stands
        assert studio.drawn == ["a fox"]


async def test_a_device_that_is_cut_off_loses_its_job_to_another_and_is_used_again(
    tmp_path: Path,
    patient_model: Path,  # noqa: F811
) -> None:
    """Over TLS, with the device's own key, through a relay that is cut."""
    async with system(tmp_path) as running:
        async with Relay(running.hub.port) as relay:
            environment = running.hub.device_environment("pi-07", f"tls://localhost:{relay.port}")
            with EdgeProcess(patient_model, tmp_path / "edge.log", **environment):
                await cut_off_in_the_middle(running, relay.cut, relay.mend)


async def test_a_device_behind_nat_is_cut_off_and_used_again(
    tmp_path: Path,
    patient_model: Path,  # noqa: F811
    nat_network: NatNetwork,  # noqa: F811
) -> None:
    """The same in a network namespace of its own behind a router that translates addresses and then drops all."""
    address = nat_network.hub_address
    async with system(tmp_path, address) as running:
        environment = running.hub.device_environment("pi-07", f"tls://{address}:{running.hub.port}")
        with EdgeProcess(patient_model, tmp_path / "edge.log", prefix=nat_network.prefix, **environment):
            await cut_off_in_the_middle(running, nat_network.cut, nat_network.mend)


def pixels(reply: dict[str, Any]) -> bytes:
    """Without what is written beside them: when it was drawn, and by which job."""
    return Image.open(io.BytesIO(base64.b64decode(reply["image_base64"]))).tobytes()


async def test_only_what_a_device_can_do_is_asked_of_it(tmp_path: Path, small_model: Path) -> None:  # noqa: F811
    async with system(tmp_path) as running:
        environment = running.hub.device_environment("pi-07", f"tls://localhost:{running.hub.port}")
        with EdgeProcess(small_model, tmp_path / "edge.log", **environment):
            await running.until_offered_by("pi-07")
            refused = {
                "steps": ({"steps": 3}, "1, 2, 4"),
                "size": ({"width": 768, "height": 512}, "512x512"),
                "device": ({"model": "sd15-lcm@pi-99"}, "pi-07"),
            }
            for asked, said in refused.values():
                body = {"prompt": "a fox", "model": "sd15-lcm", **asked}
                answer = await running.http.post("/generate", json=body)
                assert answer.status_code in {400, 404}, answer.text
                assert said in answer.text
            drawn = (await running.http.post("/generate", json=BRIEF)).json()
            assert (drawn["width"], drawn["height"], drawn["num_inference_steps"]) == (512, 512, 2)
            alike = (await running.http.post("/generate", json=BRIEF | {"model": "@pi-07"})).json()
            assert pixels(alike) == pixels(drawn)
            start = drawn["image_base64"]
            edited = await running.http.post("/generate", json=BRIEF | {"init_image": start, "strength": 0.5})
            assert edited.is_success, edited.text
            assert edited.json()["image_base64"] != start


async def test_a_large_picture_goes_where_it_can_be_drawn(tmp_path: Path, small_model: Path) -> None:  # noqa: F811
    """One model on a small device and on a large machine."""
    async with system(tmp_path) as running:
        environment = running.hub.device_environment("pi-07", f"tls://localhost:{running.hub.port}")
        studio = FakeEngine(models=("sd15-lcm",))
        with EdgeProcess(small_model, tmp_path / "edge.log", **environment):
            async with running_worker(
                running.hub.worker_settings(), studio, name="studio", seen_by=running.hub.settings()
            ):
                await running.until_offered_by("pi-07", "studio")
                for asked in ({"width": 768, "height": 512}, {"steps": 30, "width": 512, "height": 512}):
                    body = {"prompt": "a large one", "model": "sd15-lcm", **asked}
                    assert (await running.http.post("/generate", json=body)).is_success
        assert studio.drawn == ["a large one"] * 2


async def test_a_stopped_device_hands_its_job_on_and_leaves_at_once(
    tmp_path: Path,
    patient_model: Path,  # noqa: F811
) -> None:
    """SIGTERM, with no time to finish."""
    async with system(tmp_path) as running:
        environment = running.hub.device_environment("pi-07", f"tls://localhost:{running.hub.port}")
        studio = FakeEngine(models=("sd15-lcm",))
        with EdgeProcess(patient_model, tmp_path / "edge.log", **environment, EASEL_WORKER_SOFT_STOP_S="0") as edge:
            async with running_worker(
                running.hub.worker_settings(), studio, name="studio", seen_by=running.hub.settings()
            ):
                await running.until_offered_by("pi-07", "studio")
                job_id = await running.begin(**LONG)
                await running.job_when(job_id, status="running", worker="pi-07")
                assert await asyncio.to_thread(edge.terminate) == 0
                assert (await running.job_when(job_id, status="succeeded"))["worker"] == "studio"
