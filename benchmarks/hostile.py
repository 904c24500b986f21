"""What clients that mean harm cost the others: an ordinary client's whole request alone and beside them, in one run.

50 connections that send headers, 50 that send a body, a byte every half second; two clients that send pictures made to
harm (`tests/support/bombs.py`) one after another, ten a second at most; one that sends bodies of 4 MB, slow to read or
large in memory. Times alone and beside alternate. `grew` is the gateway's largest memory beside them, less what it had.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.figures import median, milliseconds, percentile, table
from benchmarks.system import System, running
from tests.support.memory import forget_peak, peak_bytes, resident_bytes

KINDS = {
    "slow headers": ["headers"],
    "slow bodies": ["bodies"],
    "picture bombs": ["bombs"],
    "large bodies": ["large"],
    "all together": ["headers", "bodies", "bombs", "large"],
}
WARM_UP, BLOCKS, ROUNDS = 50, 4, 200


async def measure() -> str:
    """The ordinary client draws the smallest picture on an engine that takes no time."""
    rows = []
    async with running(workers=1) as system:
        _samples(system, WARM_UP)
        for name, kinds in KINDS.items():
            alone, beside, grown = [], [], []
            for _ in range(BLOCKS):
                alone += _samples(system, ROUNDS)
                pid = system.gateway.process.pid
                before = resident_bytes(pid)
                forget_peak(pid)
                with _harmed(system, kinds):
                    beside += _samples(system, ROUNDS)
                grown.append(peak_bytes(pid) - before)
            ratio = f"**{median(beside) / median(alone):.2f}**"
            halves = [milliseconds(median(alone)), milliseconds(median(beside)), ratio]
            worst = [milliseconds(percentile(alone, 0.99)), milliseconds(percentile(beside, 0.99))]
            rows.append([name, *halves, *worst, f"{max(grown) / 1e6:.0f}"])
    header = ["beside", "alone p50, ms", "beside p50, ms", "ratio", "alone p99, ms", "beside p99, ms", "grew, MB"]
    return table(header, rows)


def _samples(system: System, rounds: int) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", system.gateway.port)
    body = json.dumps({"prompt": "bench", "width": 64, "height": 64, "num_inference_steps": 1})
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        connection.request("POST", "/generate", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        taken.append(time.perf_counter() - started)
        if answer.status != http.client.OK:
            raise AssertionError(said)
    connection.close()
    return taken


@contextlib.contextmanager
def _harmed(system: System, kinds: list[str]) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.hostile_clients", str(system.gateway.port), *kinds]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as clients:
        try:
            if clients.stdout is None or clients.stdout.readline() != b"ready\n":
                raise AssertionError("the hostile clients did not begin")
            yield
        finally:
            clients.kill()
