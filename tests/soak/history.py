"""Was every promise kept? Checked after the fact, against what the clients saw and what any gateway says now."""

from __future__ import annotations

import io
import itertools
from collections import Counter

import httpx
import numpy as np
from PIL import Image

from contracts.events import EventId
from runtime.messaging.connection import Bus
from tests.soak.clients import Client, Promise
from tests.support import builders
from tests.support.fake_engine import FakeEngine


async def check(http: httpx.AsyncClient, gateway: str, client: Client) -> tuple[Counter[str], list[str]]:
    """Count how a client's jobs ended, and say in a sentence what is wrong with each that broke a promise."""
    counts: Counter[str] = Counter()
    faults: list[str] = []
    for promise in client.promises:
        state = await client.state(promise)
        counts[state] += 1
        found = [*history_faults(promise, state), *await _result_faults(http, gateway, promise, state)]
        faults += [f"{promise.job_id}: {fault}" for fault in found]
    return counts, faults


async def bus_faults(bus: Bus, clients: list[Client]) -> list[str]:
    """What the bus keeps that it should not: work of jobs that have ended, and second outcomes."""
    subjects = bus.subjects
    promised = {promise.job_id for client in clients for promise in client.promises}
    left = await bus.read(subjects.jobs_stream, seq=1, next_by_subj=subjects.job("*", "*"))
    ended = Counter[str]()
    after = 0
    while page := await bus.read(subjects.outcomes_stream, seq=after + 1, next_by_subj=subjects.stored_outcome("*")):
        ended.update(message.subject.rsplit(".", 1)[1] for message in page)
        after = page[-1].sequence
    return [
        *(f"{message.subject}: ended, yet its work waits" for message in left),
        *(f"{job_id}: {ended[job_id]} outcomes are kept" for job_id in sorted(promised) if ended[job_id] != 1),
    ]


def history_faults(promise: Promise, state: str) -> list[str]:
    """What is wrong with what a client was told on the way, its job being `state` now."""
    faults, told = [], [event.kind for event in promise.events]
    positions = [EventId.parse(event.id) for event in promise.events]
    if any(position is None for position in positions):
        faults.append(f"an event without a proper id: {promise.events}")
    elif any(not a < b for a, b in itertools.pairwise(positions)):  # type: ignore[operator]
        faults.append(f"events out of order or twice: {promise.events}")
    if _falls(promise):
        faults.append(f"progress went backwards within an attempt: {promise.events}")
    if "finished" in told and told.index("finished") != len(told) - 1:
        faults.append(f"something came after the end: {told}")
    said = [event.data.get("state") for event in promise.events if event.kind == "finished"]
    said += [promise.ended_as, *([promise.cancel_answer] if promise.cancel_answer else [])]
    if any(word != state for word in said):
        faults.append(f"is {state}, and was said to be {said}")
    return faults


def _falls(promise: Promise) -> bool:
    steps = [(event.id.split(".")[0], event.data["step"]) for event in promise.events if event.kind == "progress"]
    return any(a[0] == b[0] and b[1] <= a[1] for a, b in itertools.pairwise(steps))


async def _result_faults(http: httpx.AsyncClient, gateway: str, promise: Promise, state: str) -> list[str]:
    if state == "unknown":
        return ["lost: nobody knows it"]
    answers = [
        await http.get(f"{gateway}/job/{promise.job_id}/image", params={"index": index})
        for index in range(promise.count + 1)
    ]
    there = [answer.status_code == httpx.codes.OK for answer in answers]
    if state == "cancelled":
        asked = [] if promise.cancel_asked else ["cancelled, though its client never asked"]
        return [*asked, "cancelled, yet there is a picture"] if any(there) else asked
    if state != "succeeded":
        return [f"ended as {state}"]
    if there != [True] * promise.count + [False]:
        return [f"{sum(there)} pictures for {promise.count}: {[answer.status_code for answer in answers]}"]
    pictures = [answer.content for answer in answers[: promise.count]]
    return [] if _are_its_pictures(promise, pictures) else ["another job's picture"]


def _are_its_pictures(promise: Promise, pictures: list[bytes]) -> bool:
    wanted = {"prompt": promise.prompt, "seed": promise.seed, "num_images": promise.count}
    request = builders.generate_image(**wanted, width=promise.size, height=promise.size)
    expected = FakeEngine().generate(request, lambda *_: None)
    return all(
        np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(picture))
        for data, picture in zip(pictures, expected, strict=True)
    )
