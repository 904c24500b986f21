"""Was every promise kept? Checked after the fact, against what the clients saw and what any gateway says now."""

from __future__ import annotations

import io
import itertools
from collections import Counter

import httpx
import numpy as np
from PIL import Image

from contracts.events import EventId
from tests.soak.clients import Client, Promise
from tests.support import builders
from tests.support.fake_engine import FakeEngine


async def check(http: httpx.AsyncClient, gateway: str, client: Client) -> tuple[Counter[str], list[str]]:
    """Count how a client's jobs ended, and say in a sentence what is wrong with each that broke a promise."""
    counts: Counter[str] = Counter()
    faults: list[str] = []
    for promise in client.promises:
        state = await client.state(promise.job_id, wait=True)
        counts[state] += 1
        faults += [f"{promise.job_id}: {fault}" for fault in _history_faults(promise)]
        faults += [f"{promise.job_id}: {fault}" for fault in await _result_faults(http, gateway, promise, state)]
    return counts, faults


def _history_faults(promise: Promise) -> list[str]:
    faults = []
    positions = [EventId.parse(position) for position, _ in promise.events]
    if any(position is None for position in positions):
        faults.append(f"an event without a proper id: {promise.events}")
    elif any(not a < b for a, b in itertools.pairwise(positions)):  # type: ignore[operator]
        faults.append(f"events out of order or twice: {promise.events}")
    if Counter(event for _, event in promise.events)["finished"] > 1:
        faults.append("ended twice")
    return faults


async def _result_faults(http: httpx.AsyncClient, gateway: str, promise: Promise, state: str) -> list[str]:
    if state == "unknown":
        return ["lost: nobody knows it"]
    picture = await http.get(f"{gateway}/job/{promise.job_id}/image")
    if state == "cancelled":
        asked = [] if promise.cancel_asked else ["cancelled, though nobody asked"]
        return asked if picture.status_code != 200 else [*asked, "cancelled, yet there is a picture"]
    if state != "succeeded":
        return [f"ended as {state}"]
    if picture.status_code != 200:
        return [f"no picture: {picture.status_code} {picture.text}"]
    return [] if _is_its_picture(promise, picture.content) else ["another job's picture"]


def _is_its_picture(promise: Promise, data: bytes) -> bool:
    size = promise.size
    request = builders.generate_image(prompt=promise.prompt, seed=promise.seed, width=size, height=size)
    expected = FakeEngine().generate(request, lambda *_: None)[0]
    return np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(expected))
