"""From settings to an engine."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("diffusers")

from contracts.errors import EaselError
from services.diffusion.engines.factory import build_engine
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
