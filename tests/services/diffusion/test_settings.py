"""The service's variables, and those of the services before it."""

from __future__ import annotations

import pytest

from runtime.process.settings import SettingsError, load
from services.diffusion.settings import DiffusionSettings


def test_nothing_set_offers_pocket_on_the_best_device() -> None:
    settings = load(DiffusionSettings, {})
    assert (settings.models, settings.device, settings.dtype) == (("pocket",), "auto", "auto")


@pytest.mark.parametrize(
    "name", ["EASEL_DIFFUSION_MODELS", "IMAGE_GEN_MODEL", "MODEL", "TEXT_TO_IMAGE_STABLE_DIFFUSION_MODEL_ID"]
)
def test_every_name_of_the_model_is_read(name: str) -> None:
    assert load(DiffusionSettings, {name: "sdxl, pocket"}).models == ("sdxl", "pocket")


def test_the_earlier_name_of_the_device_is_read() -> None:
    assert load(DiffusionSettings, {"TEXT_TO_IMAGE_STABLE_DIFFUSION_DEVICE": "cpu"}).device == "cpu"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EASEL_DIFFUSION_DTYPE", "int4"),
        ("EASEL_DIFFUSION_ENGINE", "abacus"),
        ("EASEL_DIFFUSION_LOADED_MODELS", "0"),
        ("EASEL_DIFFUSION_MODELS", ","),
    ],
)
def test_a_wrong_value_is_refused_by_its_variable(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load(DiffusionSettings, {name: value})
