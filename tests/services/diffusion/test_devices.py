"""Which device and number format are chosen."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch

from contracts.errors import EaselError
from services.diffusion.engines.devices import SMALL_BYTES, choose_device, choose_dtype, device_name

CPU = torch.device("cpu")


@pytest.fixture
def two_cuda_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.fixture
def no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (torch.cuda, torch.xpu, torch.backends.mps):
        monkeypatch.setattr(module, "is_available", lambda: False)


@pytest.mark.usefixtures("no_accelerator")
def test_auto_is_the_cpu_where_there_is_nothing_else() -> None:
    assert choose_device("auto") == CPU


@pytest.mark.usefixtures("two_cuda_cards")
@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("auto", "cuda:0"),
        ("gpu", "cuda:0"),
        ("GPU", "cuda:0"),
        ("cuda", "cuda:0"),
        ("cuda:1", "cuda:1"),
        ("cpu", "cpu"),
    ],
)
def test_a_card_is_found_by_kind_and_number(wanted: str, found: str) -> None:
    assert choose_device(wanted) == torch.device(found)


@pytest.mark.usefixtures("two_cuda_cards")
@pytest.mark.parametrize("wanted", ["cuda:2", "cuda:x", "tpu", ""])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(wanted: str) -> None:
    with pytest.raises(EaselError, match="cuda:0, cuda:1, cpu"):
        choose_device(wanted)


@pytest.mark.usefixtures("no_accelerator")
def test_asking_for_a_gpu_never_ends_on_the_cpu() -> None:
    with pytest.raises(EaselError, match="'gpu'"):
        choose_device("gpu")


def test_the_cpu_has_a_name() -> None:
    assert device_name(CPU) == "cpu"


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
def test_a_named_format_is_kept(name: str) -> None:
    assert choose_dtype(name, CPU, "float16", 1) == getattr(torch, name)


def test_small_models_keep_float32_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert choose_dtype("auto", CPU, "float16", SMALL_BYTES - 1) == torch.float32


@pytest.mark.parametrize(
    ("found", "dtype"),
    [
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"avx512_f": True}, torch.float32),
    ],
)
def test_large_models_use_bfloat16_where_the_cpu_is_made_for_it(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, bool], dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert choose_dtype("auto", CPU, "float16", SMALL_BYTES) == dtype


@pytest.mark.parametrize(("supported", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_cards_without_bfloat16_get_float16(
    monkeypatch: pytest.MonkeyPatch, supported: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: supported)
    assert choose_dtype("auto", torch.device("cuda", 0), "bfloat16", 1) == dtype


def test_unets_get_float16_on_mps() -> None:
    assert choose_dtype("auto", torch.device("mps"), "float16", 1) == torch.float16
