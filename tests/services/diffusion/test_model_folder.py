"""What a local folder says of itself, and which folders are refused. No torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import EaselError, ErrorCode
from services.diffusion.catalogue import Catalogue


def model_folder(folder: Path, kind: Any = "StableDiffusionPipeline", **files: Any) -> str:
    """A folder with an index, safetensors of no content, and `files` by path with `__` for `/`."""
    parts = ("unet", "vae", "transformer")
    for part in parts:
        (folder / part).mkdir(parents=True)
        (folder / part / "diffusion_pytorch_model.safetensors").write_bytes(b"")
    index = {"_class_name": kind} | {part: ["diffusers", "Model"] for part in parts}
    (folder / "model_index.json").write_text(json.dumps(index))
    for name, content in files.items():
        (folder / f"{name.replace('__', '/')}.json").write_text(json.dumps(content))
    return str(folder)


def fault_of(folder: str) -> EaselError:
    with pytest.raises(EaselError) as caught:
        Catalogue().find(folder)
    return caught.value


def test_a_folder_is_a_model_by_its_own_name(tmp_path: Path) -> None:
    model = Catalogue().find(model_folder(tmp_path / "my-model"))
    assert (model.info.id, model.info.family, model.folder) == ("my-model", "stable-diffusion", tmp_path / "my-model")


def test_a_folder_does_not_tell_clients_where_it_lies(tmp_path: Path) -> None:
    assert Catalogue().find(model_folder(tmp_path / "my-model")).info.source == "my-model"


def test_easel_json_states_defaults_and_limits(tmp_path: Path) -> None:
    stated = {"num_inference_steps": 9, "steps_range": [4, 30], "width": 256, "height": 320, "size_multiple": 32}
    stated |= {"min_size": 128, "max_size": 512, "guidance_scale": 2.5, "license": "MIT", "revision": "abc"}
    info = Catalogue().find(model_folder(tmp_path / "m", easel=stated)).info
    assert (info.default_steps, info.min_steps, info.max_steps) == (9, 4, 30)
    assert (info.default_width, info.default_height, info.size_multiple) == (256, 320, 32)
    assert (info.min_size, info.max_size, info.max_pixels) == (128, 512, 512 * 512)
    assert (info.default_guidance_scale, info.licence, info.source) == (2.5, "MIT", "m@abc")


def test_without_easel_json_the_size_is_the_networks_own(tmp_path: Path) -> None:
    configs = {"unet__config": {"sample_size": 96}, "vae__config": {"block_out_channels": [1, 2, 3, 4]}}
    info = Catalogue().find(model_folder(tmp_path / "m", **configs)).info
    assert (info.default_width, info.default_height) == (768, 768)


@pytest.mark.parametrize(("guided", "scale", "steps"), [(True, 3.5, 28), (False, 0.0, 4)])
def test_flux_dev_and_schnell_are_told_apart(tmp_path: Path, guided: bool, scale: float, steps: int) -> None:
    folder = model_folder(tmp_path / "m", "FluxPipeline", transformer__config={"guidance_embeds": guided})
    info = Catalogue().find(folder).info
    assert (info.default_guidance_scale, info.default_steps) == (scale, steps)


def test_a_folder_with_pickled_weights_only_is_refused(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    weights = Path(folder, "unet", "diffusion_pytorch_model.safetensors")
    weights.rename(weights.with_suffix(".bin"))
    fault = fault_of(folder)
    assert fault.code == ErrorCode.ENGINE_FAILED
    assert "diffusion_pytorch_model.bin" in fault.message
    assert "safe_serialization" in fault.message


def test_pickles_beside_safetensors_are_left_alone(tmp_path: Path) -> None:
    folder = model_folder(tmp_path / "m")
    Path(folder, "unet", "diffusion_pytorch_model.bin").write_bytes(b"")
    assert Catalogue().find(folder).info.id == "m"


@pytest.mark.parametrize("kind", ["KandinskyPipeline", ["pipeline", "MyPipeline"], None])
def test_a_pipeline_that_easel_does_not_know_is_refused(tmp_path: Path, kind: Any) -> None:
    fault = fault_of(model_folder(tmp_path / "m", kind))
    assert fault.code == ErrorCode.UNSUPPORTED
    assert "StableDiffusionXLPipeline" in fault.message


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    fault = fault_of(str(tmp_path))
    assert fault.code == ErrorCode.MODEL_NOT_FOUND
    assert "model_index.json" in fault.message


@pytest.mark.parametrize("text", ["{", "[]", '{"width": "wide"}'])
def test_a_damaged_easel_json_is_named(tmp_path: Path, text: str) -> None:
    folder = model_folder(tmp_path / "m")
    Path(folder, "easel.json").write_text(text)
    assert "easel.json" in fault_of(folder).message
