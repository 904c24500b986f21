"""Which models there are, by which names, with which limits. No torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import EaselError, ErrorCode
from gateway.resolve import legal_size
from services.diffusion.catalogue import BUILT_IN, Catalogue

ON_THE_HUB = Catalogue().ids[1:]
DISTILLED = ("sdxl-turbo", "sd3.5-large-turbo", "flux.1-schnell", "z-image-turbo")
OWN = """
[[model]]
id = "mine"
source = "someone/mine"
family = "stable-diffusion"
names = ["my-model"]
width = 768
height = 640
license = "mine"
"""


def own_file(folder: Path, text: str = OWN) -> str:
    path = folder / "models.toml"
    path.write_text(text)
    return str(path)


def fault_of(name: str, file: str = "") -> EaselError:
    with pytest.raises(EaselError) as caught:
        Catalogue(file).find(name)
    return caught.value


@pytest.mark.parametrize("model_id", ON_THE_HUB)
def test_every_model_of_the_hub_states_source_revision_and_licence(model_id: str) -> None:
    model = Catalogue().find(model_id)
    assert model.info.source == f"{model.source}@{model.revision}"
    assert model.info.licence != "unknown"
    assert model.memory_gb


@pytest.mark.parametrize("model_id", ON_THE_HUB)
def test_every_model_answers_to_its_hub_id_in_any_case(model_id: str) -> None:
    source = Catalogue().find(model_id).source
    assert [Catalogue().find(name).info.id for name in (source, source.upper())] == [model_id] * 2


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("stable-diffusion-xl", "sdxl"),
        ("stable-diffusion-v3.5", "sd3.5-medium"),
        ("stable-diffusion-v3", "sd3-medium"),
        ("Flux.1-Schnell", "flux.1-schnell"),
        ("flux.1-dev", "flux.1-dev"),
        ("Tongyi-MAI/Z-Image-Turbo", "z-image-turbo"),
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", "stable-diffusion-1.5"),
    ],
)
def test_the_names_of_earlier_services_are_understood(name: str, model_id: str) -> None:
    assert Catalogue().find(name).info.id == model_id


def test_no_two_models_share_a_name() -> None:
    names = [name.lower() for model_id in ON_THE_HUB for name in set(Catalogue().find(model_id).names)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("model_id", DISTILLED)
def test_models_distilled_for_one_guidance_take_no_other_and_no_negative_prompt(model_id: str) -> None:
    info = Catalogue().find(model_id).info
    assert (info.default_guidance_scale, info.max_guidance_scale, info.negative_prompt) == (0, 0, False)


@pytest.mark.parametrize("model_id", ["stable-diffusion-1.5", "sdxl", "sd3.5-large"])
def test_a_negative_prompt_works_where_guidance_does(model_id: str) -> None:
    assert Catalogue().find(model_id).info.negative_prompt


def test_a_negative_prompt_has_no_effect_on_embedded_guidance() -> None:
    assert not Catalogue().find("flux.1-dev").info.negative_prompt


def test_an_own_file_adds_models(tmp_path: Path) -> None:
    info = Catalogue(own_file(tmp_path)).find("my-model").info
    assert (info.id, info.default_width, info.default_height, info.default_steps) == ("mine", 768, 640, 50)


def test_an_own_entry_comes_before_the_catalogues(tmp_path: Path) -> None:
    file = own_file(tmp_path, OWN.replace('"mine"', '"sdxl"', 1))
    assert Catalogue(file).find("sdxl").source == "someone/mine"


def test_a_folder_in_an_own_file_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    file = own_file(tmp_path, OWN.replace("someone/mine", "./here"))
    assert f"{tmp_path / 'here'} is not a model" in fault_of("mine", file).message


def test_a_misspelt_key_in_an_own_file_is_named(tmp_path: Path) -> None:
    fault = fault_of("mine", own_file(tmp_path, OWN.replace("width", "widht")))
    assert "widht" in fault.message
    assert "models.toml" in fault.message


def test_an_own_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "absent.toml" in fault_of("sdxl", str(tmp_path / "absent.toml")).message


def test_a_hub_model_without_a_family_is_refused_with_the_families(tmp_path: Path) -> None:
    fault = fault_of("mine", own_file(tmp_path, OWN.replace("stable-diffusion", "stable-confusion")))
    assert "stable-confusion" in fault.message
    assert "stable-diffusion-xl" in fault.message


def test_defaults_outside_their_own_limits_are_refused(tmp_path: Path) -> None:
    assert "770x640" in fault_of("mine", own_file(tmp_path, OWN.replace("768", "770"))).message


def test_an_unknown_model_is_refused_with_the_known_ones_and_the_way_to_add_it() -> None:
    fault = fault_of("someone/unheard-of")
    assert (fault.code, fault.param) == (ErrorCode.MODEL_NOT_FOUND, "model")
    assert "sdxl" in fault.message
    assert "EASEL_DIFFUSION_MODELS_FILE" in fault.message


@pytest.mark.skipif(not BUILT_IN.with_name("models").joinpath("pocket").is_dir(), reason="the model is not exported")
def test_pocket_ships_with_its_own_defaults() -> None:
    model = Catalogue().find("pocket")
    assert model.folder == BUILT_IN.parent / "models" / "pocket"
    assert (model.info.family, model.info.default_width) == ("stable-diffusion", 256)
    assert model.info.source == f"pocket@{model.revision}"


@pytest.mark.parametrize("size", ["512x512", "768x768", "1024x1024", "1280x720", "720x1280", "1024x768", "768x1024"])
def test_z_image_draws_every_size_that_the_job_service_promised(size: str) -> None:
    """To the pixel; its document's multiples of 64 would not allow two of them."""
    width, height = (int(side) for side in size.split("x"))
    assert legal_size(width, height, Catalogue().find("Tongyi-MAI/Z-Image-Turbo").info) == (width, height)
