"""Which models stay in memory: how many, within how many bytes, and which leaves first."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("diffusers")

from contracts.errors import EaselError, ErrorCode
from services.diffusion.catalogue import Catalogue
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.torch_backend import TorchBackend
from services.diffusion.model_folder import ModelFolder

pytestmark = pytest.mark.usefixtures("one_torch_thread")
FAMILIES = ("stable-diffusion", "flux-schnell", "stable-diffusion-xl")
TinyModel = Callable[[str], Path]


def gigabytes(folder: Path) -> float:
    return TorchBackend("cpu").size(Catalogue().find(str(folder))) / 1e9


def engine_of(tiny_model: TinyModel, memory_gb: float) -> DiffusersEngine:
    models = [Catalogue().find(str(tiny_model(family))) for family in FAMILIES]
    return DiffusersEngine(models, "cpu", keep=9, memory_gb=memory_gb)


def test_the_size_foretold_is_that_of_the_weights_in_memory(tiny_model: TinyModel) -> None:
    folder = tiny_model("stable-diffusion")
    pipe = TorchBackend("cpu").load(Catalogue().find(str(folder))).pipe
    parts = (part for part in pipe.components.values() if hasattr(part, "parameters"))
    taken = sum(weight.numel() * weight.element_size() for part in parts for weight in part.parameters())
    assert gigabytes(folder) * 1e9 == pytest.approx(taken, rel=0.02)


def test_as_many_models_stay_as_fit_the_budget(tiny_model: TinyModel) -> None:
    sizes = [gigabytes(tiny_model(family)) for family in FAMILIES]
    engine = engine_of(tiny_model, sum(sizes) - 0.5 * min(sizes))
    for family in FAMILIES:
        engine.load(f"tiny-{family}")
    assert engine.loaded == ("tiny-flux-schnell", "tiny-stable-diffusion-xl")


def test_a_model_beyond_the_budget_is_refused_with_the_figures_and_others_stay(tiny_model: TinyModel) -> None:
    sizes = {family: gigabytes(tiny_model(family)) for family in FAMILIES}
    smallest, largest = min(sizes, key=lambda it: sizes[it]), max(sizes, key=lambda it: sizes[it])
    engine = engine_of(tiny_model, 0.5 * (sizes[smallest] + sizes[largest]))
    engine.load(f"tiny-{smallest}")
    with pytest.raises(
        EaselError, match=r"GB of memory and this worker may use .* EASEL_DIFFUSION_MEMORY_GB"
    ) as caught:
        engine.load(f"tiny-{largest}")
    assert caught.value.code == ErrorCode.UNSUPPORTED
    assert engine.loaded == (f"tiny-{smallest}",)


def test_a_damaged_file_counts_for_nothing_until_it_is_loaded(tiny_model: TinyModel, tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "broken.safetensors").write_bytes(b"\xff" * 16)
    (tmp_path / "model_index.json").write_text((tiny_model("flux-schnell") / "model_index.json").read_text())
    assert ModelFolder(tmp_path).weights_numbers() == 0
