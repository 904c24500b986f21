"""Time from the end of a denoising step in the worker to its event at an HTTP client."""

from __future__ import annotations

import time

import msgspec

from benchmarks.figures import median, milliseconds, percentile, table
from benchmarks.system import running

STEPS = 200


async def measure() -> str:
    """One long job, followed; both ends read the same clock."""
    delays = []
    async with running(workers=1, step_s=0.02) as system:
        body = {"prompt": "bench", "num_inference_steps": STEPS, "width": 64, "height": 64}
        job_id = (await system.http.post("/generate/async", json=body)).raise_for_status().json()["job_id"]
        async with system.http.stream("GET", f"/job/{job_id}/events") as answer:
            event = ""
            async for line in answer.aiter_lines():
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("data:") and event == "progress":
                    delays.append(time.time() - msgspec.json.decode(line[5:])["at"])
    if len(delays) != STEPS:
        raise AssertionError(f"{len(delays)} of {STEPS} steps arrived")
    row = [str(len(delays)), milliseconds(median(delays)), milliseconds(percentile(delays, 0.99))]
    return table(["events", "p50, ms", "p99, ms"], [row])
