"""Clients that submit, follow and cancel while everything around them dies, and remember what they were promised."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx

STATES = {"succeeded", "failed", "cancelled"}


class Event(NamedTuple):
    """One server-sent event."""

    id: str
    kind: str
    data: dict[str, Any]


@dataclass
class Promise:
    """One job whose id was handed out, and what its client saw of it."""

    job_id: str
    prompt: str
    seed: int
    size: int
    count: int
    """Pictures."""
    cancel_asked: bool = False
    """Whether or not its answer arrived: the gateway may have died after it did as asked."""
    cancel_answer: str = ""
    """The state that it was told; empty where the answer was lost."""
    accepted_at: float = field(default_factory=time.monotonic)
    took_s: float = 0.0
    """Until its client knew that it had ended."""
    ended_as: str = ""
    """The first last state that it was told."""
    events: list[Event] = field(default_factory=list)
    """As followed, across reconnects."""
    last_answer: str = ""
    """What it was told last that was no answer."""


class Client:
    """One client: one job at a time, through whichever gateway answers."""

    def __init__(self, http: httpx.AsyncClient, gateways: list[str], number: int, seed: int) -> None:
        self._http = http
        self._gateways = gateways
        self._number = number
        self._random = random.Random(f"{seed}-{number}")
        self.promises: list[Promise] = []
        self.refused = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Submit until `stop`, seeing each job to its end."""
        while not stop.is_set():
            promise = await self._submit()
            if promise is None:
                self.refused += 1
                await asyncio.sleep(0.05)
                continue
            self.promises.append(promise)
            if self._random.random() < 0.15:
                await asyncio.sleep(self._random.uniform(0, 0.3))  # a moment of the job's life to cancel it in
                await self._ask_cancel(promise)
            if self._random.random() < 0.5:
                await self._follow(promise)
            promise.ended_as = await self.state(promise)
            promise.took_s = time.monotonic() - promise.accepted_at

    def _gateway(self) -> str:
        return self._random.choice(self._gateways)

    async def _submit(self) -> Promise | None:
        number = len(self.promises)
        prompt, seed = f"picture {self._number}-{number}", self._random.randrange(2**32)
        size, count = self._random.choice([64, 128]), self._random.choice([1, 1, 2])
        body = {"prompt": prompt, "seed": seed, "width": size, "height": size, "num_inference_steps": 4}
        body["num_images"] = count
        try:
            answer = await self._http.post(f"{self._gateway()}/generate/async", json=body)
        except httpx.TransportError:
            return None
        if answer.status_code >= 300:
            assert answer.status_code in (429, 503), answer.text
            return None
        return Promise(answer.json()["job_id"], prompt, seed, size, count)

    async def _ask_cancel(self, promise: Promise) -> None:
        promise.cancel_asked = True
        with contextlib.suppress(httpx.TransportError):
            answer = await self._http.delete(f"{self._gateway()}/job/{promise.job_id}")
            if answer.status_code == 200:
                promise.cancel_answer = answer.json()["status"]

    async def _follow(self, promise: Promise) -> None:
        """Follow to the end over as many connections as it takes."""
        while not (promise.events and promise.events[-1].kind == "finished") and promise.ended_as != "unknown":
            headers = {"Last-Event-ID": promise.events[-1].id} if promise.events else {}
            try:
                await self._read_events(promise, headers)
            except httpx.TransportError as fault:
                promise.last_answer = repr(fault)
                await asyncio.sleep(0.05)

    async def _read_events(self, promise: Promise, headers: dict[str, str]) -> None:
        url = f"{self._gateway()}/job/{promise.job_id}/events"
        async with self._http.stream("GET", url, headers=headers) as answer:
            if answer.status_code == 404:
                promise.ended_as = "unknown"
                return
            if answer.status_code != 200:
                promise.last_answer = f"{answer.status_code} {(await answer.aread())[:200]!r}"
                await asyncio.sleep(0.05)
                return
            event = position = data = ""
            async for line in answer.aiter_lines():
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("id:"):
                    position = line[3:].strip()
                elif line.startswith("data:"):
                    data = line[5:]
                elif not line and event:
                    if event != "keepalive":
                        promise.events.append(Event(position, event, json.loads(data)))
                    event = ""

    async def state(self, promise: Promise) -> str:
        """A job's last state, from any gateway that answers."""
        while True:
            try:
                answer = await self._http.get(f"{self._gateway()}/job/{promise.job_id}")
            except httpx.TransportError as fault:
                promise.last_answer = repr(fault)
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == 404:
                return "unknown"
            promise.last_answer = f"{answer.status_code} {answer.text[:200]}"
            state = answer.json().get("status", "") if answer.status_code == 200 else ""
            if state in STATES:
                return str(state)
            await asyncio.sleep(0.05)
