"""What the gateway and the bus add to a picture, next to calling the same engine in the same process."""

from __future__ import annotations

import base64
import http.client
import json
import time

from benchmarks.figures import median, milliseconds, percentile, table
from benchmarks.system import System, running
from runtime.worker.images.encoding import encode_image
from tests.support import builders
from tests.support.fake_engine import FakeEngine

SIDES = {"0.3 MB": 320, "1.5 MB": 704}
"""Side in pixels of a picture of noise whose PNG has about that size."""
WARM_UP, ROUNDS = 10, 100


async def measure() -> str:
    """Alternate one call in process with one over HTTP, so that both meet the same disturbances."""
    rows = []
    async with running(workers=1) as system:
        for name, side in SIDES.items():
            alone, whole, size = _samples(system, side)
            added = median(whole) - median(alone)
            rows.append(
                [
                    name,
                    f"{size / 1e6:.2f}",
                    milliseconds(median(alone)),
                    milliseconds(median(whole)),
                    f"**{milliseconds(added)}**",
                    milliseconds(percentile(whole, 0.99) - percentile(alone, 0.99)),
                ]
            )
    header = ["picture", "MB", "engine alone, ms", "OpenAI request, ms", "added p50, ms", "added p99, ms"]
    return table(header, rows)


def _samples(system: System, side: int) -> tuple[list[float], list[float], int]:
    # http.client, because it costs least: what a client library spends on reading a body is not ours to measure
    connection = http.client.HTTPConnection("127.0.0.1", system.gateway.port)
    engine, alone, whole, size = FakeEngine(), [], [], 0
    for number in range(WARM_UP + ROUNDS):
        request = builders.generate_image(width=side, height=side, seed=number, prompt="bench")
        started = time.perf_counter()
        image = engine.generate(request, lambda *_: None)[0]
        data = encode_image(image, request, 0)
        alone.append(time.perf_counter() - started)
        body = {"model": "fake", "prompt": "bench", "size": f"{side}x{side}", "seed": number, "steps": 4}
        encoded = json.dumps(body)
        started = time.perf_counter()
        connection.request("POST", "/v1/images/generations", encoded, {"Content-Type": "application/json"})
        answer = connection.getresponse().read()
        whole.append(time.perf_counter() - started)
        picture = base64.b64decode(json.loads(answer)["data"][0]["b64_json"])
        if picture != data:
            raise AssertionError("the two ways drew different pictures")
        size = len(data)
    return alone[WARM_UP:], whole[WARM_UP:], size
