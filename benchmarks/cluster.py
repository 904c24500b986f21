"""Three nats-servers, three copies: the longest time without an accepted job when the server that leads the jobs ends.

Jobs are submitted over HTTP with a key, all the time, so that its account is on the way too.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import httpx
import structlog

from benchmarks.figures import median, table
from gateway.keys import create_key
from runtime.messaging.connection import Bus
from runtime.messaging.settings import BusSettings
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import GatewayProcess
from tests.support.nats_cluster import NatsCluster
from tests.support.systems import answering, offering
from tests.support.workers import running_worker

WAYS = {"killed": (signal.SIGKILL, 8), "stopped (SIGTERM)": (signal.SIGTERM, 3), "lame duck": (signal.SIGUSR2, 3)}
"""How the server ends, and how often that is tried."""
PROMISE_S = 6.0
BEFORE_S = 2.0
AFTER_S = 16.0
"""Longer than any election, and a server's lame duck keeps it for a while."""


async def measure() -> str:
    """Each way, on clusters of their own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    rows = []
    for name, (number, rounds) in WAYS.items():
        gaps = sorted([await _round(number) for _ in range(rounds)])
        within = sum(gap < PROMISE_S for gap in gaps)
        every = ", ".join(f"{gap:.1f}" for gap in gaps)
        rows.append([name, every, f"{median(gaps):.1f}", f"{within} of {rounds}"])
    return table(["the server is", "each round, s", "p50, s", f"within {PROMISE_S:g} s"], rows)


async def _round(number: signal.Signals) -> float:
    with tempfile.TemporaryDirectory(prefix="easel-bench-") as folder:
        cluster = NatsCluster(Path(folder) / "cluster").start()
        settings = BusSettings(url=cluster.url, namespace="bench", replicas=cluster.replicas, ack_wait_s=2.0)
        keys = Path(folder) / "keys.json"
        key = create_key(keys, "bench")
        own = {"EASEL_GATEWAY_KEYS_FILE": str(keys), "EASEL_GATEWAY_MAX_QUEUE_SIZE": "2000"}
        try:
            with GatewayProcess(settings, Path(folder) / "gateway.log", **own) as gateway:
                await answering(gateway)
                async with running_worker(settings, FakeEngine()):
                    await offering(gateway, key=key)
                    return await _longest_gap(cluster, settings, number, gateway.url, key)
        finally:
            cluster.kill()


async def _longest_gap(
    cluster: NatsCluster, settings: BusSettings, number: signal.Signals, url: str, key: str
) -> float:
    accepted: list[float] = []
    async with httpx.AsyncClient(base_url=url, headers={"x-api-key": key}, timeout=60) as http:

        async def submit() -> None:
            while True:
                if (await http.post("/generate/async", json={"prompt": "x"})).is_success:
                    accepted.append(time.monotonic())
                await asyncio.sleep(0.05)

        clients = [asyncio.create_task(submit()) for _ in range(2)]
        await asyncio.sleep(BEFORE_S)
        async with Bus.connect(settings, "bench") as bus:
            leader = (await bus.api(f"STREAM.INFO.{bus.subjects.jobs_stream}"))["cluster"]["leader"]
        ended_at = time.monotonic()
        cluster.signal_one(leader, number)
        await asyncio.sleep(AFTER_S)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    moments = [ended_at, *(moment for moment in accepted if moment > ended_at)]
    return max(later - sooner for sooner, later in pairwise(moments))
