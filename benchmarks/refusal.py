"""How long a client waits for the answer that the queue is full."""

from __future__ import annotations

import time

from benchmarks.figures import median, milliseconds, percentile, table
from benchmarks.system import running

ROUNDS = 300


async def measure() -> str:
    """One worker busy for long, a queue of two, then requests that find no place."""
    delays = []
    async with running(workers=1, step_s=0.5, queue_size=2) as system:
        body = {"prompt": "bench", "width": 64, "height": 64, "num_inference_steps": 500}
        while (await system.http.post("/generate/async", json=body)).is_success:
            pass
        for _ in range(ROUNDS):
            started = time.perf_counter()
            answer = await system.http.post("/generate/async", json=body)
            delays.append(time.perf_counter() - started)
            if answer.status_code != 429:
                raise AssertionError(answer.text)
    row = [str(len(delays)), milliseconds(median(delays)), milliseconds(percentile(delays, 0.99))]
    return table(["requests", "p50, ms", "p99, ms"], [row])
