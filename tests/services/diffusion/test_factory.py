"""From settings to an engine."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("diffusers")

from contracts.errors import EaselError
from services.diffusion.engines.factory import build_engine, preloaded
from services.diffusion.settings import DiffusionSettings

TinyModel = Callable[[str], Path]


def settings(*models: Path | str) -> DiffusionSettings:
    return DiffusionSettings(models=tuple(map(str, models)), device="cpu")


def test_models_are_offered_in_the_order_of_the_settings_and_none_is_loaded(tiny_model: TinyModel) -> None:
    engine = build_engine(settings(tiny_model("z-image"), "sdxl", tiny_model("flux-schnell")))
    assert [model.id for model in engine.models] == ["tiny-z-image", "sdxl", "tiny-flux-schnell"]
    assert engine.loaded == ()


def test_a_model_named_twice_is_offered_once() -> None:
    engine = build_engine(settings("sdxl", "stabilityai/stable-diffusion-xl-base-1.0"))
    assert [model.id for model in engine.models] == ["sdxl"]


def test_two_folders_of_one_name_are_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = tiny_model("flux-schnell")
    other = shutil.copytree(folder, tmp_path / folder.name)
    with pytest.raises(EaselError, match="two models are called 'tiny-flux-schnell'"):
        build_engine(settings(folder, other))


def test_an_unknown_model_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(EaselError, match="no model 'nothing'"):
        build_engine(settings("nothing"))


def test_the_first_model_is_preloaded_unless_others_are_named_or_none() -> None:
    assert preloaded(settings("sdxl", "pocket")) == ("sdxl",)
    assert preloaded(DiffusionSettings(preload=("false",))) == ()
    both = DiffusionSettings(models=("sdxl", "pocket", "z-image-turbo"), preload=("pocket", "z-image"), loaded_models=2)
    assert preloaded(both) == ("pocket", "z-image-turbo")


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (("sdxl",), "names sdxl, which this worker does not offer: it has pocket, flux.1-schnell"),
        (("nothing",), "no model 'nothing'"),
        (("pocket", "flux-schnell"), "names 2 models, and 1 may be in memory: raise EASEL_DIFFUSION_LOADED_MODELS"),
    ],
)
def test_a_preload_that_cannot_be_is_refused_at_start(named: tuple[str, ...], said: str) -> None:
    with pytest.raises(EaselError, match=said):
        preloaded(DiffusionSettings(models=("pocket", "flux-schnell"), preload=named))
