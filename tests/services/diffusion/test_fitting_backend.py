"""Where nobody chose an engine, the one that fits the device draws."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("diffusers")
pytest.importorskip("openvino")

import torch

from contracts.errors import EaselError
from services.diffusion.engines.factory import build_engine
from services.diffusion.settings import DiffusionSettings

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without an accelerator")


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_openvino_draws_on_a_cpu(device: str) -> None:
    assert re.fullmatch(r"cpu .+ \(OpenVINO\)", build_engine(DiffusionSettings(device=device)).device)


def test_torch_draws_where_it_is_asked_for() -> None:
    assert build_engine(DiffusionSettings(engine="diffusers")).device == "cpu"


def test_a_device_that_neither_has_is_refused_with_those_of_both() -> None:
    with pytest.raises(EaselError, match=r"torch .+ finds cpu; .+ OpenVINO .+ finds CPU"):
        build_engine(DiffusionSettings(device="npu"))
