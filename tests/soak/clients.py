"""Clients that submit, follow and cancel while everything around them dies, and remember what they were promised."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass, field

import httpx

STATES = {"succeeded", "failed", "cancelled"}


@dataclass
class Promise:
    """One job whose id was handed out, and what its client saw of it."""

    job_id: str
    prompt: str
    seed: int
    size: int
    cancel_asked: bool = False
    """Whether or not its answer arrived: the gateway may have died after it did as asked."""
    events: list[tuple[str, str]] = field(default_factory=list)
    """(id, event) as followed, across reconnects."""


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
                promise.cancel_asked = True
                await self._ask_cancel(promise.job_id)
            if self._random.random() < 0.5:
                await self._follow(promise)
            await self.state(promise.job_id, wait=True)

    def _gateway(self) -> str:
        return self._random.choice(self._gateways)

    async def _submit(self) -> Promise | None:
        number = len(self.promises)
        prompt, seed = f"picture {self._number}-{number}", self._random.randrange(2**32)
        size = self._random.choice([64, 128])
        body = {"prompt": prompt, "seed": seed, "width": size, "height": size, "num_inference_steps": 4}
        try:
            answer = await self._http.post(f"{self._gateway()}/generate/async", json=body)
        except httpx.TransportError:
            return None
        if answer.status_code >= 300:
            assert answer.status_code in (429, 503), answer.text
            return None
        return Promise(answer.json()["job_id"], prompt, seed, size)

    async def _ask_cancel(self, job_id: str) -> None:
        with contextlib.suppress(httpx.TransportError):
            await self._http.delete(f"{self._gateway()}/job/{job_id}")

    async def _follow(self, promise: Promise) -> None:
        """Follow to the end over as many connections as it takes."""
        async with asyncio.timeout(120):
            while not (promise.events and promise.events[-1][1] == "finished"):
                headers = {"Last-Event-ID": promise.events[-1][0]} if promise.events else {}
                try:
                    await self._read_events(promise, headers)
                except httpx.TransportError:
                    await asyncio.sleep(0.05)

    async def _read_events(self, promise: Promise, headers: dict[str, str]) -> None:
        url = f"{self._gateway()}/job/{promise.job_id}/events"
        async with self._http.stream("GET", url, headers=headers) as answer:
            if answer.status_code != 200:
                await asyncio.sleep(0.05)
                return
            event = position = ""
            async for line in answer.aiter_lines():
                if line.startswith("event:"):
                    event = line[6:].strip()
                elif line.startswith("id:"):
                    position = line[3:].strip()
                elif not line and event:
                    if event != "keepalive":
                        promise.events.append((position, event))
                    event = ""

    async def state(self, job_id: str, *, wait: bool) -> str:
        """A job's state from any gateway that answers; with `wait`, its last one."""
        async with asyncio.timeout(120):
            while True:
                try:
                    answer = await self._http.get(f"{self._gateway()}/job/{job_id}")
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                    continue
                if answer.status_code == 404:
                    return "unknown"
                state = answer.json().get("status", "") if answer.status_code == 200 else ""
                if state in STATES or (state and not wait):
                    return str(state)
                await asyncio.sleep(0.05)


def describe(promise: Promise) -> str:
    """One line for a report."""
    return json.dumps({"job": promise.job_id, "events": [event for _, event in promise.events]})
