"""`python -m tests.soak --kills 1000`: kill -9 under load, then count. Exit status 1 when a promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx

from tests.soak.clients import Client
from tests.soak.history import check
from tests.soak.processes import System

PAUSE_S = (0.05, 0.6)


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="replays the same choices of victims")
    options = parser.parse_args()
    print(f"soak: {options.kills} kills, seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="easel-soak-") as folder:
        return asyncio.run(soak(options, Path(folder)))


async def soak(options: argparse.Namespace, folder: Path) -> int:
    """Load, kills, then the count."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=0)
    with System(folder, workers=options.workers, gateways=options.gateways, seed=options.seed) as system:
        async with httpx.AsyncClient(timeout=60, limits=limits) as http:
            urls = [gateway.url for gateway in system.gateways]
            await _ready(http, urls)
            clients = [Client(http, urls, number, options.seed) for number in range(options.clients)]
            stop = asyncio.Event()
            tasks = [asyncio.create_task(client.run(stop)) for client in clients]
            killed = await _kill(system, options, tasks)
            stop.set()
            draining = asyncio.gather(*tasks)
            while not draining.done():
                killed["ended by themselves"] += system.revive()
                await asyncio.wait([draining], timeout=0.5)
            draining.result()
            await _ready(http, urls)
            results = [await check(http, urls[0], client) for client in clients]
    counts: Counter[str] = sum((count for count, _ in results), Counter())
    faults = [fault for _, found in results for fault in found]
    print(f"killed: {dict(killed)}; jobs accepted: {counts.total()}; ended: {dict(counts)}")
    print(f"refused while something was down: {sum(client.refused for client in clients)}")
    print(*faults, sep="\n")
    print(f"{counts.total() - len(faults)} kept, {len(faults)} broken promises")
    return 1 if faults or not counts["succeeded"] else 0


async def _kill(system: System, options: argparse.Namespace, tasks: list[asyncio.Task[None]]) -> Counter[str]:
    killed: Counter[str] = Counter()
    pauses = random.Random(options.seed + 1)
    for number in range(options.kills):
        victim = system.victim()
        await asyncio.to_thread(victim.kill_and_restart)
        killed[victim.kind] += 1
        killed["ended by themselves"] += system.revive()
        await asyncio.sleep(pauses.uniform(*PAUSE_S))
        for task in tasks:
            if task.done():
                task.result()
        if number % 50 == 49:
            print(f"{number + 1} kills", flush=True)
    return killed


async def _ready(http: httpx.AsyncClient, urls: list[str]) -> None:
    async with asyncio.timeout(60):
        for url in urls:
            while True:
                try:
                    if (await http.get(f"{url}/readyz")).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
