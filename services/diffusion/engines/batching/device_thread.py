"""Networks run one call at a time, whoever makes it; calls of a kind that wait together become one.

Step-level continuous batching: every request runs a stock pipeline in a thread of its own and waits here for its
denoiser. Whoever comes during a step joins the next one, whoever leaves is missed by nobody.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

from services.diffusion.engines.batching.calls import Call

T = TypeVar("T")
RunCalls = Callable[[Sequence[Call]], list[Any]]
"""Runs calls of one kind as one; their results in order."""

WINDOW = 0.25
"""Of the last step's time: so long is waited for requests that took part in it and do not call again yet."""
LONGEST_WINDOW_S = 0.05


@dataclass(eq=False)
class _Item:
    """Something that a request waits for. Either a call, or `work` that nothing can be merged with."""

    member: object
    call: Call | None = None
    run: RunCalls | None = None
    work: Callable[[], Any] | None = None
    done: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    fault: BaseException | None = None

    @property
    def kind(self) -> Hashable:
        return (self.run, self.call.kind if self.call else None)

    def wait(self) -> Any:
        self.done.wait()
        if self.fault is not None:
            raise self.fault
        return self.result


class DeviceThread:
    """Safe from any thread. The thread starts when two requests meet, and anew after `stop`.

    A request that is alone runs its own calls: on a machine that others use too, handing each step to another thread
    and back was seen to make a picture take 1.8 times as long (median).
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[_Item] = []
        self._expected: set[object] = set()
        """Requests that took part in the last step, or wait for their first."""
        self._busy = False
        """Whether something runs, in the thread or in that of a request that is alone."""
        self._step_s = 0.0
        self._thread: threading.Thread | None = None

    def denoise(self, member: object, call: Call, run: RunCalls) -> Any:
        """The result of `call` for the request `member`, merged with others of its kind and with the same `run`."""
        return self._ask(_Item(member, call=call, run=run), expected=True)

    def run(self, member: object, work: Callable[[], T]) -> T:
        """`work()`, before the next step; `member` is not waited for meanwhile."""
        result: T = self._ask(_Item(member, work=work), expected=False)
        return result

    def leave(self, member: object) -> None:
        """The request has ended, however it did."""
        with self._changed:
            self._expected.discard(member)
            self._changed.notify_all()

    def stop(self) -> None:
        """End the thread after what it is doing."""
        with self._changed:
            self._thread = None
            self._changed.notify_all()

    def _ask(self, item: _Item, *, expected: bool) -> Any:
        with self._changed:
            (self._expected.add if expected else self._expected.discard)(item.member)
            alone = not self._busy and not self._waiting and self._expected <= {item.member}
            if alone:
                self._busy = True
            else:
                self._waiting.append(item)
                self._start()
            self._changed.notify_all()
        if alone:
            self._run([item])
        return item.wait()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="device", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while batch := self._next():
            self._run(batch)
            del batch  # not to hold the last call's tensors while waiting for the next

    @torch.inference_mode()
    def _run(self, batch: list[_Item]) -> None:
        """To be called by whoever set `_busy`."""
        began = time.perf_counter()
        _execute(batch)
        with self._changed:
            self._busy = False
            if batch[0].call is not None:
                self._step_s = time.perf_counter() - began
            self._changed.notify_all()
        for item in batch:  # not before: who is alone again shall find nobody busy
            item.done.set()

    def _next(self) -> list[_Item]:
        """What to run together; nothing when the thread is to end."""
        with self._changed:
            me = threading.current_thread()
            self._changed.wait_for(lambda: (self._waiting and not self._busy) or self._thread is not me)
            if not self._waiting or self._thread not in (me, None):
                return []
            self._changed.wait_for(lambda: not self._busy)
            self._busy = True
            self._changed.wait_for(self._complete, min(LONGEST_WINDOW_S, WINDOW * self._step_s))
            taken = self._taken()
            self._waiting = [item for item in self._waiting if item not in taken]
            return taken

    def _complete(self) -> bool:
        """Whether nobody else is on the way who would be in the same step."""
        return any(item.work for item in self._waiting) or self._expected <= {item.member for item in self._waiting}

    def _taken(self) -> list[_Item]:
        """Work first, since it is short and lets a request begin or end; else the calls like the oldest."""
        work = next((item for item in self._waiting if item.work), None)
        if work is not None:
            return [work]
        self._expected &= {item.member for item in self._waiting}  # who is late is not waited for again
        return [item for item in self._waiting if item.kind == self._waiting[0].kind]


def _execute(batch: list[_Item]) -> None:
    try:
        _run(batch)
    except BaseException as fault:  # noqa: BLE001  carried to those who wait, whatever it is
        if len(batch) == 1:
            batch[0].fault = fault
        else:
            for item in batch:  # the fault of one, or too little memory for all: each for itself
                _execute([item])


def _run(batch: list[_Item]) -> None:
    first = batch[0]
    if first.run is None:
        first.result = first.work() if first.work else None
        return
    results = first.run([item.call for item in batch if item.call])
    for item, result in zip(batch, results, strict=True):
        item.result = result
