"""`python -m tests.soak --kills 1000`: faults under load, then count. Exit status 1 when a promise was broken."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
import structlog

from runtime.messaging.connection import Bus
from tests.soak.clients import Client
from tests.soak.faults import Fault, draw, strike
from tests.soak.history import bus_faults, check
from tests.soak.processes import System

DRAIN_S = 120.0
"""From the last fault to the end of the last job."""


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--gateways", type=int, default=2)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="draws the same faults again")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # its own link fails too
    print(f"soak: {options.kills} kills, replay with --kills {options.kills} --seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="easel-soak-") as folder:
        return asyncio.run(soak(options, Path(folder)))


async def soak(options: argparse.Namespace, folder: Path) -> int:
    """Load, faults, then the count."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=0)
    async with (
        System(folder, workers=options.workers, gateways=options.gateways) as system,
        httpx.AsyncClient(timeout=60, limits=limits) as http,
        Bus.connect(system.settings, "soak") as bus,
    ):
        await _ready(http, system.urls)
        clients = [Client(http, system.urls, number, options.seed) for number in range(options.clients)]
        stop = asyncio.Event()
        tasks = [asyncio.create_task(client.run(stop)) for client in clients]
        struck = await _strike_all(system, bus, draw(options.seed, options.kills), tasks)
        stop.set()
        # while processes die faster than jobs are drawn, no job has a deadline; once they live it has one
        draining = asyncio.ensure_future(asyncio.wait_for(asyncio.gather(*tasks), DRAIN_S))
        while not draining.done():
            struck["ended by themselves"] += system.revive()
            await asyncio.wait([draining], timeout=0.5)
        if draining.exception():
            _tell_unfinished(clients, folder)
            draining.result()
        await _ready(http, system.urls)
        await _idle(bus)
        results = [await check(http, system.urls[1 % len(system.urls)], client) for client in clients]
        faults = [fault for _, found in results for fault in found] + await bus_faults(bus, clients)
    return _report(struck, clients, sum((count for count, _ in results), Counter()), faults)


def _tell_unfinished(clients: list[Client], folder: Path) -> None:
    """Which jobs did not end, what their clients were told last, and the last words of every process."""
    for promise in (promise for client in clients for promise in client.promises if not promise.took_s):
        print(f"{promise.job_id} did not end: {len(promise.events)} events, then {promise.last_answer}")
    for log in sorted(folder.glob("*.log")):
        print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-8:], sep="\n")


def _report(struck: Counter[str], clients: list[Client], counts: Counter[str], faults: list[str]) -> int:
    promises = [promise for client in clients for promise in client.promises]
    print("faults: " + ", ".join(f"{count} {kind}" for kind, count in sorted(struck.items())))
    print(f"jobs accepted: {counts.total()}; ended: {dict(counts)}; pictures asked for: {_pictures(clients)}")
    followed = sum(1 for promise in promises if promise.events)
    cancels = sum(promise.cancel_asked for promise in promises)
    print(f"slowest job: {max(promise.took_s for promise in promises):.0f} s")
    print(f"followed to the end: {followed}; asked to cancel: {cancels}")
    print(f"refused while something was down: {sum(client.refused for client in clients)}")
    print(*faults, sep="\n" if faults else "")
    broken = {fault.split(":")[0] for fault in faults}
    print(f"{counts.total() - len(broken)} kept, {len(broken)} broken promises")
    return 1 if faults or not counts["succeeded"] else 0


def _pictures(clients: list[Client]) -> int:
    return sum(promise.count for client in clients for promise in client.promises)


async def _strike_all(system: System, bus: Bus, faults: list[Fault], tasks: list[asyncio.Task[None]]) -> Counter[str]:
    """Kills one after the other; the other faults last beside them."""
    struck, lasting = Counter[str](), dict[tuple[str, int], asyncio.Task[None]]()
    for fault in faults:
        struck[fault.kind] += 1
        if fault.kills:
            await strike(system, bus, fault)
        else:
            place = (fault.kind.split()[-1], fault.victim % len(system.links))
            if before := lasting.pop(place, None):
                await before  # one fault of a link must not end another
            lasting[place] = asyncio.create_task(strike(system, bus, fault))
        struck["ended by themselves"] += system.revive()
        await asyncio.sleep(fault.pause_s)
        for task in tasks:
            if task.done():
                task.result()
        deaths = sum(count for kind, count in struck.items() if kind.startswith("kill"))
        if fault.kills and deaths % 50 == 0:
            print(f"{deaths} kills", flush=True)
    await asyncio.gather(*lasting.values())
    return struck


async def _idle(bus: Bus) -> None:
    """Return when no work waits: what ended is taken out of its queue by whoever ended it, or by the next taker."""
    async with asyncio.timeout(60):
        while await bus.read(bus.subjects.jobs_stream, seq=1, next_by_subj=bus.subjects.job("*", "*"), batch=1):
            await asyncio.sleep(0.1)


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
