"""Resident memory of processes that wait for work."""

from __future__ import annotations

from benchmarks.figures import table
from benchmarks.system import running
from tests.support.memory import resident_bytes


async def measure() -> str:
    """After one request, so that nothing is still to be imported."""
    async with running(workers=1) as system:
        body = {"model": "fake", "prompt": "bench", "size": "64x64"}
        (await system.http.post("/v1/images/generations", json=body)).raise_for_status()
        gateway = resident_bytes(system.gateway.process.pid)
        worker = resident_bytes(system.workers[0].process.pid)
    rows = [["gateway", f"{gateway / 1e6:.0f}"], ["worker without its engine", f"{worker / 1e6:.0f}"]]
    return table(["idle process", "resident, MB"], rows)
