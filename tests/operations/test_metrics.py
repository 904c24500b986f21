"""What Prometheus is told: by the gateway at /metrics, by a worker at its own port."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from contracts.workers import DeviceLoad
from gateway.keys import create_key
from runtime.messaging.connection import Bus
from runtime.messaging.job_client import JobClient
from runtime.messaging.settings import BusSettings
from runtime.process.hardware import amd_devices
from tests.support import builders
from tests.support.eventually import eventually
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import GatewayProcess
from tests.support.systems import StartGateway, offering
from tests.support.workers import WorkerProcess, running_worker

Samples = dict[str, list[tuple[dict[str, str], float]]]


async def scraped(url: str, **headers: str) -> Samples:
    """Every sample at `url`, by name."""
    async with httpx.AsyncClient(timeout=30) as http:
        answer = await http.get(url, headers=headers)
    answer.raise_for_status()
    found: Samples = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum of the samples that have these labels."""
    return sum(number for found, number in samples.get(name, ()) if labels.items() <= found.items())


async def draw(gateway: GatewayProcess, **body: object) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60) as http:
        return await http.post(f"{gateway.url}/v1/images/generations", json={"model": "fake", "prompt": "x", **body})


async def test_a_gateway_counts_requests_and_shows_queues_workers_and_streams(
    bus_settings: BusSettings, start_gateway: StartGateway
) -> None:
    """Three jobs wait for a worker with one slot, which holds a fourth."""
    engine = FakeEngine()
    async with start_gateway() as gateway, running_worker(bus_settings, engine, name="w") as _:
        await offering(gateway)
        assert (await draw(gateway)).status_code == 200
        assert (await draw(gateway, n=99)).status_code == 400
        async with Bus.connect(bus_settings, "test") as bus:
            for _ in range(4):
                await JobClient(bus, "test").submit(builders.job(prompt="gate"))

            async def queued() -> Samples | None:
                now = await scraped(f"{gateway.url}/metrics")
                return now if value(now, "t2i_queue_running", pool="fake") == 1 else None

            now = await eventually(queued, 30)
            assert now is not None
        assert value(now, "t2i_queue_depth", pool="fake") == 3
        assert 0 < value(now, "t2i_queue_oldest_age_seconds", pool="fake") < 60
        assert value(now, "t2i_bus_up") == 1
        assert value(now, "t2i_device_up", service="diffusion", device="cpu (fake)") == 1
        jobs = f"{bus_settings.namespace.upper()}_JOBS"
        assert value(now, "jetstream_stream_total_messages", stream_name=jobs) == 4
        assert value(now, "jetstream_consumer_num_pending", stream_name=jobs) == 3
        route = {"http_route": "/v1/images/generations", "http_request_method": "POST"}
        count = "http_server_request_duration_seconds_count"
        assert value(now, count, **route, http_response_status_code="200") == 1
        assert value(now, count, **route, http_response_status_code="400") == 1
        assert value(now, "gen_ai_client_operation_duration_seconds_count", gen_ai_request_model="fake") == 1
        assert value(now, "messaging_client_sent_messages_total") >= 1


async def test_a_device_that_is_gone_is_shown_as_zero_and_a_full_queue_as_rejections(
    bus_settings: BusSettings, start_gateway: StartGateway
) -> None:
    """A gauge that vanished could not be alerted on."""
    async with start_gateway(EASEL_GATEWAY_MAX_QUEUE_SIZE="1") as gateway:
        engine = FakeEngine()
        async with running_worker(bus_settings, engine, name="w"):
            await offering(gateway)
            held = [asyncio.create_task(draw(gateway, prompt="gate")) for _ in range(4)]
            await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
            assert value(await scraped(f"{gateway.url}/metrics"), "t2i_rejected_total", reason="queue_full") >= 1
            engine.gate.set()
            await asyncio.gather(*held)

        async def gone() -> bool:
            now = await scraped(f"{gateway.url}/metrics")
            return any(number == 0 for labels, number in now["t2i_device_up"] if labels["pool"] == "fake")

        await eventually(gone, 30)


async def test_metrics_need_a_key_where_all_else_does(
    start_gateway: StartGateway, bus_settings: BusSettings, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    key = create_key(keys, "prometheus")
    async with start_gateway(EASEL_GATEWAY_KEYS_FILE=str(keys)) as gateway:
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{gateway.url}/metrics")).status_code == 401
        assert "t2i_bus_up" in await scraped(f"{gateway.url}/metrics", authorization=f"Bearer {key}")


async def test_metrics_are_there_without_a_bus_and_say_so(start_gateway: StartGateway) -> None:
    async with start_gateway(EASEL_NATS_URL="nats://127.0.0.1:1") as gateway:
        assert value(await scraped(f"{gateway.url}/metrics"), "t2i_bus_up") == 0


async def test_a_worker_shows_what_it_drew_at_its_own_port(
    bus_settings: BusSettings, jobs: JobClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second one on the same machine takes the next port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.listen()
        monkeypatch.setenv("EASEL_METRICS_PORT", str(port))
        with WorkerProcess(bus_settings, "counted"):
            for prompt in ("a fox", "fail"):
                async with (
                    asyncio.timeout(60),
                    jobs.follow((job := builders.job(prompt=prompt)).id, fresh=True) as all_,
                ):
                    await jobs.submit(job)
                    _ = [event async for event in all_]

            async def counted() -> Samples | None:
                now = await scraped(f"http://127.0.0.1:{port + 1}/metrics")
                return now if value(now, "messaging_process_duration_seconds_count") == 2 else None

            now = await eventually(counted, 30)
            assert now is not None
    assert value(now, "t2i_job_outcomes_total", state="succeeded", model="fake") == 1
    assert value(now, "t2i_job_outcomes_total", state="failed", reason="engine_failed") == 1
    assert value(now, "t2i_images_total", model="fake") == 1
    assert value(now, "t2i_step_duration_seconds_count", model="fake") == 4
    assert value(now, "t2i_queue_wait_seconds_count", pool="fake") == 2
    assert value(now, "t2i_model_load_duration_seconds_count", model="fake") == 1
    assert value(now, "gen_ai_server_request_duration_seconds_count", error_type="RuntimeError") == 1
    assert value(now, "messaging_client_consumed_messages_total") == 2
    assert value(now, "process_resident_memory_bytes") > 0


def test_amd_devices_are_read_from_their_driver(tmp_path: Path) -> None:
    """A card whose driver tells nothing is left out."""
    device = tmp_path / "card0/device"
    device.mkdir(parents=True)
    (tmp_path / "card1/device").mkdir(parents=True)
    facts = {"mem_info_vram_used": 2 << 30, "mem_info_vram_total": 16 << 30, "gpu_busy_percent": 75}
    for name, number in facts.items():
        (device / name).write_text(f"{number}\n")
    assert list(amd_devices(tmp_path)) == [
        DeviceLoad(id="card0", memory_used_bytes=2 << 30, memory_bytes=16 << 30, utilization=0.75)
    ]
