"""Calls of several requests as one: which are merged, who waits for whom, what a fault does, when a batch pays."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("diffusers")

import torch

from services.diffusion.catalogue import Catalogue
from services.diffusion.engines.batching import capacity
from services.diffusion.engines.batching.calls import Call
from services.diffusion.engines.batching.device_thread import DeviceThread
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from tests.conformance.image_engine import draw, request_for

pytestmark = [
    pytest.mark.usefixtures("one_torch_thread"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
TinyModel = Callable[[str], Path]
WAIT_S = 60.0


def call(name: str, kind: str = "same") -> Call:
    return Call({"name": name}, 1, kind)


class Held:
    """Runs calls when it is let, and keeps what was run together."""

    def __init__(self, refuse: Callable[[list[str]], bool] = lambda _: False) -> None:
        self.batches: list[list[str]] = []
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self._refuse = refuse

    def __call__(self, calls: Sequence[Call]) -> list[str]:
        names = [it.arguments["name"] for it in calls]
        self.batches.append(sorted(names))
        self.begun.release()
        assert self.go.acquire(timeout=WAIT_S)
        if self._refuse(names):
            raise RuntimeError(f"not {names}")
        return [f"{name} done" for name in names]


@pytest.fixture
def device() -> Iterator[DeviceThread]:
    thread = DeviceThread()
    yield thread
    thread.stop()


@pytest.fixture
def requests() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def waiting(device: DeviceThread, count: int) -> None:
    """Return when so many calls wait for the thread."""
    with device._changed:
        assert device._changed.wait_for(lambda: len(device._waiting) == count, WAIT_S)


def test_calls_of_a_kind_that_wait_together_are_one_and_others_are_not(
    device: DeviceThread, requests: ThreadPoolExecutor
) -> None:
    run = Held()
    first = requests.submit(device.denoise, "a", call("a"), run)
    assert run.begun.acquire(timeout=WAIT_S)
    others: list[Future[Any]] = []
    for count, (name, kind) in enumerate([("b", "same"), ("c", "other"), ("d", "same")], start=1):
        others.append(requests.submit(device.denoise, name, call(name, kind), run))
        waiting(device, count)
    device.leave("a")
    run.go.release(3)
    assert [first.result(WAIT_S), *(it.result(WAIT_S) for it in others)] == ["a done", "b done", "c done", "d done"]
    assert run.batches == [["a"], ["b", "d"], ["c"]]


def test_work_that_is_no_step_goes_before_the_next_step(device: DeviceThread, requests: ThreadPoolExecutor) -> None:
    run, order = Held(), list[str]()
    first = requests.submit(device.denoise, "a", call("a"), run)
    assert run.begun.acquire(timeout=WAIT_S)
    step = requests.submit(lambda: order.append(device.denoise("b", call("b"), run)))
    waiting(device, 1)
    work = requests.submit(device.run, "c", lambda: order.append("decoded"))
    waiting(device, 2)
    run.go.release(2)
    for it in (first, step, work):
        it.result(WAIT_S)
    assert order == ["decoded", "b done"]


def test_the_fault_of_one_is_not_the_others(device: DeviceThread, requests: ThreadPoolExecutor) -> None:
    run = Held(refuse=lambda names: "b" in names)
    run.go.release(10)
    gate = threading.Event()
    blocked = requests.submit(device.run, None, lambda: gate.wait(WAIT_S))
    asked = []
    for count, name in enumerate("abc", start=1):
        asked.append(requests.submit(device.denoise, name, call(name), run))
        with device._changed:
            assert device._changed.wait_for(lambda: len(device._waiting) >= count, WAIT_S)  # noqa: B023
    gate.set()
    blocked.result(WAIT_S)
    assert asked[0].result(WAIT_S) == "a done"
    assert asked[2].result(WAIT_S) == "c done"
    with pytest.raises(RuntimeError, match="not \\['b'\\]"):
        asked[1].result(WAIT_S)


def test_the_thread_starts_anew_after_it_was_stopped(device: DeviceThread) -> None:
    assert device.run("a", lambda: 1) == 1
    device.stop()
    assert device.run("a", lambda: 2) == 2


def test_what_a_device_draws_in_the_same_time_is_drawn_together() -> None:
    """A device with room for six: a step of up to six pictures takes as long as one, twelve take twice as long."""

    def run(calls: Sequence[Call]) -> list[torch.Tensor]:
        time.sleep(0.03 * -(-len(calls) // 6))  # stands for the device
        return [torch.zeros(1) for _ in calls]

    assert capacity.measure(call("a"), run) == 4


def test_a_device_that_one_picture_fills_draws_them_one_by_one() -> None:
    tried = list[int]()

    def run(calls: Sequence[Call]) -> list[torch.Tensor]:
        tried.append(len(calls))
        time.sleep(0.03 * len(calls))  # stands for the device
        return [torch.zeros(1) for _ in calls]

    assert capacity.measure(call("a"), run) == 1
    assert max(tried) == 2


def test_a_gain_that_is_not_found_again_is_not_believed() -> None:
    pairs = list[int]()

    def run(calls: Sequence[Call]) -> list[torch.Tensor]:
        pairs.extend([1] * (len(calls) == 2))
        lucky = len(pairs) <= 1 + capacity.ROUNDS  # the first warms up
        time.sleep(0.03 if lucky else 0.03 * len(calls))  # stands for the device
        return [torch.zeros(1) for _ in calls]

    assert capacity.measure(call("a"), run) == 1


def test_a_slow_round_among_others_hides_no_gain() -> None:
    pairs = list[int]()

    def run(calls: Sequence[Call]) -> list[torch.Tensor]:
        pairs.extend([1] * (len(calls) == 2))
        disturbed = len(calls) == 2 and len(pairs) % capacity.ROUNDS == 0
        time.sleep(0.3 if disturbed else 0.03 * -(-len(calls) // 2))  # stands for the device
        return [torch.zeros(1) for _ in calls]

    assert capacity.measure(call("a"), run) == 2


def test_a_batch_that_finds_no_memory_is_no_batch() -> None:
    def run(calls: Sequence[Call]) -> list[torch.Tensor]:
        if len(calls) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        time.sleep(0.03)  # stands for the device
        return [torch.zeros(1) for _ in calls]

    assert capacity.measure(call("a"), run) == 2


def engine_of(folder: Path, **options: Any) -> DiffusersEngine:
    return DiffusersEngine([Catalogue().find(str(folder))], "cpu", **options)


def test_pictures_count_by_their_pixels(tiny_model: TinyModel) -> None:
    engine = engine_of(tiny_model("stable-diffusion"), max_batch=4)
    info = engine.models[0]
    assert engine.slots == 4
    assert engine.share(request_for(info)) == 1  # not loaded: nothing is known of it
    engine.load(info.id)
    assert engine.share(request_for(info)) == 0.25
    assert engine.share(request_for(info, num_images=2)) == 0.5
    assert engine.share(request_for(info, width=2 * info.default_width)) == 0.5
    assert engine.share(request_for(info, num_images=9)) == 1


@pytest.mark.parametrize("family", ["stable-diffusion", "stable-diffusion-xl", "flux-dev", "z-image"])
def test_how_many_pay_is_tried_out_when_a_model_is_loaded(tiny_model: TinyModel, family: str) -> None:
    engine = engine_of(tiny_model(family), max_batch=0)
    before = draw(engine_of(tiny_model(family)), engine.models[0])
    engine.load(engine.models[0].id)
    assert engine.slots in (1, 2, 4, 8, 16)
    assert np.array_equal(before, draw(engine, engine.models[0]))


def test_a_prompt_is_encoded_once(tiny_model: TinyModel) -> None:
    engine = engine_of(tiny_model("stable-diffusion"), prompt_cache_mb=1)
    info, encoded = engine.models[0], list[Any]()
    engine.load(info.id)
    loaded = engine._cache.peek(info.id)
    assert loaded is not None
    loaded.pipe.text_encoder.register_forward_pre_hook(lambda *_: encoded.append(1))
    first, calls = draw(engine, info), len(encoded)
    assert np.array_equal(first, draw(engine, info))
    assert len(encoded) == calls > 0
    assert not np.array_equal(first, draw(engine, info, prompt="the sea"))
    assert len(encoded) > calls
