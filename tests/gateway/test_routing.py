"""Requests go to a worker that can draw them as asked, by model, device, size and load."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from contracts.errors import EaselError, ErrorCode
from contracts.images import ModelInfo
from contracts.workers import WorkerPresence
from gateway.resolve import Wanted
from gateway.routing import choose_pool, route
from gateway.settings import GatewaySettings
from services.axera_edge.description import Description
from tests.support.builders import generate_image
from tests.support.fake_engine import fake_model

LARGE = msgspec.structs.replace(fake_model("sd15-lcm"), schedulers=("LCM",))
SMALL = Description().info(img2img=True)


def worker(name: str, *models: ModelInfo, free: int = 1, device: str = "cpu", pool: str = "") -> WorkerPresence:
    now = time.time()
    return WorkerPresence(
        id=name,
        service="test",
        pool=pool or name,
        models=models,
        device=device,
        slots=4,
        free_slots=free,
        started_at=now,
        sent_at=now,
    )


STUDIO, PI = worker("studio", LARGE, device="cuda:0 H200"), worker("pi-07", SMALL, device="Axera NPU 0")
WORKERS = (STUDIO, PI)


def routed(workers: tuple[WorkerPresence, ...] = WORKERS, waiting: dict[str, int] | None = None, **asked: Any) -> Any:
    wanted = Wanted(**({"prompt": "a fox", "model": "sd15-lcm"} | asked))
    return route(wanted, workers, GatewaySettings(), lambda pool: (waiting or {}).get(pool, 0))


def refusal(workers: tuple[WorkerPresence, ...] = WORKERS, **asked: Any) -> EaselError:
    with pytest.raises(EaselError) as caught:
        routed(workers, **asked)
    return caught.value


@pytest.mark.parametrize("asked", [{"width": 768}, {"num_inference_steps": 20}, {"guidance_scale": 7.5}])
def test_what_a_device_cannot_do_goes_to_one_that_can(asked: dict[str, Any]) -> None:
    assert routed(waiting={"studio": 50}, **asked).pool == "studio"


def test_what_both_can_do_goes_to_the_freer_one() -> None:
    small = {"width": 512, "height": 512, "num_inference_steps": 4, "guidance_scale": 1.0}
    assert routed(waiting={"studio": 3}, **small).pool == "pi-07"
    assert routed(waiting={"pi-07": 3}, **small).pool == "studio"


@pytest.mark.parametrize("asked", [{"model": "sd15-lcm@pi-07"}, {"model": "@pi-07"}, {"device": "pi-07"}])
def test_a_device_can_be_asked_for_by_name(asked: dict[str, Any]) -> None:
    found = routed(waiting={"pi-07": 50}, **asked)
    assert (found.pool, found.resolved.request.width) == ("pi-07", 512)


def test_a_device_that_is_not_there_is_told_with_those_that_are() -> None:
    fault = refusal(model="sd15-lcm@pi-99")
    assert (fault.code, fault.param) == (ErrorCode.MODEL_NOT_FOUND, "model")
    assert "studio, pi-07" in fault.message


@pytest.mark.parametrize("device", ["openvino cpu", "enhancer"])
def test_what_does_not_draw_is_no_device(device: str) -> None:
    """An enhancer is on the bus too."""
    fault = refusal((*WORKERS, worker("enhancer", device="openvino cpu")), device=device)
    assert (fault.code, fault.param) == (ErrorCode.UNSUPPORTED, "device")
    assert fault.message.endswith("there are: Axera NPU 0, cuda:0 H200")


def test_a_hub_id_with_a_revision_is_no_device() -> None:
    model = msgspec.structs.replace(LARGE, source="owner/name@4ba40db")
    assert routed((worker("studio", model),), model="owner/name@4ba40db").pool == "studio"


@pytest.mark.parametrize(
    ("asked", "param", "said"),
    [
        ({"width": 768, "height": 512}, "width", "512x512"),
        ({"num_inference_steps": 7}, "num_inference_steps", "1, 2, 4"),
        ({"guidance_scale": 7.5}, "guidance_scale", "0 … 1"),
        ({"scheduler": "Euler a"}, "scheduler", "LCM"),
    ],
)
def test_what_no_worker_can_do_is_refused_with_the_reason(asked: dict[str, Any], param: str, said: str) -> None:
    fault = refusal((PI,), **asked)
    assert (fault.code, fault.param) == (ErrorCode.UNSUPPORTED, param)
    assert said in fault.message


def test_a_size_is_rounded_only_where_nobody_draws_it() -> None:
    coarse = worker("coarse", msgspec.structs.replace(LARGE, size_multiple=64), free=4)
    assert routed((coarse, STUDIO), width=520, height=520).pool == "studio"
    assert routed((coarse,), width=520, height=520).resolved.request.width == 512


def test_a_queued_request_finds_a_pool_that_draws_it_exactly() -> None:
    exact = generate_image(model="sd15-lcm", width=512, height=512, num_inference_steps=4, guidance_scale=1.0)
    assert choose_pool(exact, [PI], lambda _: 0) == "pi-07"
    assert choose_pool(msgspec.structs.replace(exact, width=520), [PI], lambda _: 0) is None
    assert choose_pool(msgspec.structs.replace(exact, model="other"), WORKERS, lambda _: 0) is None


CACHED = msgspec.structs.replace(LARGE, caches=("deepcache:3",), cache="deepcache:3")
TORCH, OPENVINO = worker("torch", CACHED), worker("openvino", LARGE, free=4)


def test_a_step_cache_goes_to_a_worker_that_has_it() -> None:
    found = routed((OPENVINO, TORCH), cache="deepcache")
    assert (found.pool, found.resolved.request.cache) == ("torch", "deepcache:3")


def test_a_step_cache_that_no_worker_has_is_refused_with_those_of_all() -> None:
    fault = refusal((OPENVINO, TORCH), cache="first_block_cache:0.1")
    assert (fault.code, fault.param) == (ErrorCode.UNSUPPORTED, "cache")
    assert fault.message.endswith("there are: deepcache:3")


@pytest.mark.parametrize("asked", [{}, {"device": "torch"}, {"model": "sd15-lcm@torch"}])
def test_what_a_worker_of_the_same_pool_lacks_is_refused_with_its_name(asked: dict[str, Any]) -> None:
    both = tuple(msgspec.structs.replace(it, pool="shared") for it in (TORCH, OPENVINO))
    fault = refusal(both, cache="deepcache", **asked)
    assert (fault.code, fault.param) == (ErrorCode.UNSUPPORTED, "cache")
    assert "share the pool shared with openvino" in fault.message
    assert "EASEL_WORKER_POOL" in fault.message


def test_a_models_own_step_cache_is_left_out_where_a_worker_of_the_pool_lacks_it() -> None:
    both = tuple(msgspec.structs.replace(it, pool="shared") for it in (TORCH, OPENVINO))
    assert routed(both).resolved.request.cache == ""
    assert routed((TORCH,)).resolved.request.cache == "deepcache:3"


def test_a_standby_that_offers_more_than_its_workers_draw_changes_nothing() -> None:
    both = (worker("standby", CACHED, pool="shared"), worker("openvino", LARGE, pool="shared"))
    assert refusal(both, cache="deepcache").param == "cache"
    assert routed(both).pool == "shared"
