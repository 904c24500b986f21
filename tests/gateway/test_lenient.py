"""Clients of the web UI's API send wishes: what a model cannot do becomes the nearest that it can."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.errors import EaselError
from contracts.images import GenerateImage
from gateway.devices import device_is
from gateway.resolve import Resolved, Wanted, resolve
from gateway.settings import GatewaySettings
from tests.gateway.conftest import model_info

SAMPLERS = ("Euler", "Euler a", "DPM++ 2M", "DPM++ 2M Karras")


def wished(model: dict[str, Any] | None = None, **asked: Any) -> Resolved:
    wanted = Wanted(prompt="a fox", lenient=True, **asked)
    return resolve(wanted, model_info(**(model or {})), GatewaySettings())


def drawn(model: dict[str, Any] | None = None, **asked: Any) -> GenerateImage:
    return wished(model, **asked).request


@pytest.mark.parametrize(("asked", "steps"), [(0, 1), (20, 20), (5000, 50), (2**70, 50), (-3, 1)])
def test_steps_are_brought_within_the_limits(asked: int, steps: int) -> None:
    assert drawn(num_inference_steps=asked).num_inference_steps == steps


@pytest.mark.parametrize(("asked", "steps"), [(1, 4), (6, 8), (7, 8), (50, 8)])
def test_steps_become_the_nearest_that_are_allowed_and_the_more_of_two(asked: int, steps: int) -> None:
    assert drawn({"allowed_steps": (4, 8)}, num_inference_steps=asked).num_inference_steps == steps


@pytest.mark.parametrize(("asked", "guidance"), [(-1.0, 0.0), (7.0, 7.0), (99.0, 20.0)])
def test_guidance_is_brought_within_the_limits(asked: float, guidance: float) -> None:
    assert drawn(guidance_scale=asked).guidance_scale == guidance


@pytest.mark.parametrize(
    ("asked", "scheduler"),
    [
        ("euler A", "Euler a"),
        ("DPM++ 2M Karras", "DPM++ 2M Karras"),
        ("DPM++ 2M exponential", "DPM++ 2M"),
        ("Euler Karras", "Euler"),
        ("Restart", ""),
        (None, ""),
    ],
)
def test_a_sampler_is_found_by_its_first_words_or_is_the_models_own(asked: str | None, scheduler: str) -> None:
    assert drawn({"schedulers": SAMPLERS}, scheduler=asked).scheduler == scheduler


def test_a_model_of_one_size_draws_that() -> None:
    """An e-paper picker asks for 512x576 of a card that draws 512x512."""
    request = drawn({"fixed_size": True}, width=512, height=576)
    assert (request.width, request.height) == (512, 512)


def test_what_was_changed_is_told() -> None:
    warnings = " ".join(wished(num_inference_steps=5000, scheduler="Restart").warnings)
    assert "num_inference_steps 5000 became 50" in warnings
    assert "scheduler Restart became the own one" in warnings
    assert not wished(num_inference_steps=20).warnings


@pytest.mark.parametrize("asked", [{"width": -1}, {"num_images": 11}, {"strength": 2.0}, {"seed": -7}])
def test_nonsense_is_refused_all_the_same(asked: dict[str, Any]) -> None:
    with pytest.raises(EaselError):
        wished(**asked)


@pytest.mark.parametrize(
    ("device", "wanted", "meant"),
    [
        ("cpu", "CPU", True),
        ("cpu (fake)", "cpu", True),
        ("cpu", "GPU", False),
        ("cuda:0 NVIDIA H200", "gpu", True),
        ("cuda:0 NVIDIA H200", "cuda:0", True),
        ("cuda:10 NVIDIA H200", "cuda:1", False),
        ("GPU.0 Intel Arc", "GPU", True),
        ("AX650N", "npu", True),
        ("NPU", "NPU", True),
        ("cpu", "auto", True),
        ("cpu", "c.u", False),
    ],
)
def test_devices_go_by_the_names_that_people_use(device: str, wanted: str, meant: bool) -> None:
    assert device_is(device, wanted) is meant
