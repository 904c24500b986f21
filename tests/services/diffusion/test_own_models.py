"""`easel models add`: a folder or a repository becomes a model that workers offer, or it is said why not."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("diffusers")

from contracts.errors import EaselError, ErrorCode
from services.diffusion.catalogue import Catalogue
from services.diffusion.own_models import add_model

TinyModel = Callable[[str], Path]


def test_a_folder_is_offered_by_its_name(tiny_model: TinyModel, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "models.toml"
    added = add_model(file, str(tiny_model("flux-dev")))
    assert added.info.id == "tiny-flux-dev"
    assert Catalogue(str(file)).find("tiny-flux-dev") == added


def test_what_was_in_the_file_stays(tiny_model: TinyModel, tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text("# mine\n")
    add_model(file, str(tiny_model("flux-dev")), name='a "quoted" näme')
    add_model(file, str(tiny_model("z-image")))
    assert file.read_text().startswith("# mine\n")
    assert [entry["id"] for entry in tomllib.loads(file.read_text())["model"]] == ['a "quoted" näme', "tiny-z-image"]


def test_a_name_that_is_taken_is_refused_and_nothing_written(tiny_model: TinyModel, tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    with pytest.raises(EaselError, match="--name") as caught:
        add_model(file, str(tiny_model("flux-dev")), name="sdxl")
    assert caught.value.code == ErrorCode.CONFLICT
    assert not file.exists()


@pytest.mark.parametrize(
    ("source", "said"),
    [("./no-such-folder", "not a model in diffusers format"), ("file.safetensors", "is not a .safetensors file")],
)
def test_what_is_no_folder_of_a_model_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.safetensors").write_bytes(b"")
    with pytest.raises(EaselError, match=said):
        add_model(tmp_path / "models.toml", source)
    assert not (tmp_path / "models.toml").exists()


def test_pickled_weights_are_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"")
    (folder / "model_index.json").write_text((tiny_model("stable-diffusion") / "model_index.json").read_text())
    with pytest.raises(EaselError, match="pickled weights can run code"):
        add_model(tmp_path / "models.toml", str(folder))


def test_a_repository_that_cannot_be_reached_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(EaselError, match="not on this machine and could not be fetched: check the connection"):
        add_model(tmp_path / "models.toml", "nobody/no-such-model")
    assert not (tmp_path / "models.toml").exists()
