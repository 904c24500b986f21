"""What the gateway and the bus add to a picture, next to calling the same engine in the same process."""

from __future__ import annotations

import base64
import http.client
import json
import time
from dataclasses import dataclass, field

from benchmarks.figures import median, milliseconds, percentile, table
from benchmarks.system import System, running
from runtime.worker.images.encoding import encode_image
from tests.support import builders
from tests.support.fake_engine import FakeEngine

SIDES = {"0.3 MB": 320, "1.5 MB": 704}
"""Side in pixels of a picture of noise whose PNG has about that size."""
STARTS, WARM_UP, ROUNDS = 5, 10, 40
"""Starts of the whole system, and in each the pictures of each size, uncounted and counted: on two cores it depends on
where the kernel puts the processes by how much they hinder each other, and they stay there for a while."""


async def measure() -> str:
    """Alternate one call in process with one over HTTP, so that both meet the same disturbances."""
    samples = {name: _Samples() for name in SIDES}
    for _ in range(STARTS):
        async with running(workers=1) as system:
            for name, side in SIDES.items():
                _take(system, side, samples[name])
    header = ["picture", "MB", "engine alone, ms", "OpenAI request, ms", "added p50, ms", "added p99, ms"]
    return table(header, [[name, *_row(taken)] for name, taken in samples.items()])


@dataclass
class _Samples:
    """Seconds of each call, and the size of the picture in bytes."""

    alone: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    size: int = 0


def _row(taken: _Samples) -> list[str]:
    alone, whole = taken.alone, taken.whole
    return [
        f"{taken.size / 1e6:.2f}",
        milliseconds(median(alone)),
        milliseconds(median(whole)),
        f"**{milliseconds(median(whole) - median(alone))}**",
        milliseconds(percentile(whole, 0.99) - percentile(alone, 0.99)),
    ]


def _take(system: System, side: int, samples: _Samples) -> None:
    # http.client, because it costs least: what a client library spends on reading a body is not ours to measure
    connection = http.client.HTTPConnection("127.0.0.1", system.gateway.port)
    engine = FakeEngine()
    for number in range(WARM_UP + ROUNDS):
        request = builders.generate_image(width=side, height=side, seed=number, prompt="bench")
        started = time.perf_counter()
        data = encode_image(engine.generate(request, lambda *_: None)[0], request, 0)
        alone = time.perf_counter() - started
        body = {"model": "fake", "prompt": "bench", "size": f"{side}x{side}", "seed": number, "steps": 4}
        encoded = json.dumps(body)
        started = time.perf_counter()
        connection.request("POST", "/v1/images/generations", encoded, {"Content-Type": "application/json"})
        answer = connection.getresponse().read()
        whole = time.perf_counter() - started
        if base64.b64decode(json.loads(answer)["data"][0]["b64_json"]) != data:
            raise AssertionError("the two ways drew different pictures")
        if number >= WARM_UP:
            samples.alone.append(alone)
            samples.whole.append(whole)
        samples.size = len(data)
