"""A model in one file becomes one of the operator's own, or it is said why not; nothing is fetched."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("diffusers")

import diffusers
import torch
from safetensors.torch import load_file, save_file

from contracts.errors import EaselError, ErrorCode
from services.diffusion.catalogue import Catalogue
from services.diffusion.checkpoint import CONFIGS, Checkpoint
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.single_file import clip_tokenizer
from services.diffusion.model_folder import ModelFolder
from services.diffusion.own_models import add_model
from tests.conformance.image_engine import draw
from tests.support import original_format

pytestmark = [
    pytest.mark.usefixtures("one_torch_thread"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
TinyModel = Callable[[str], Path]
FAMILIES = ["stable-diffusion", "stable-diffusion-xl"]


@pytest.fixture(params=FAMILIES)
def folder(request: pytest.FixtureRequest, tiny_model: TinyModel) -> Path:
    return tiny_model(request.param)


def written(folder: Path, file: Path) -> Path:
    return original_format.write(diffusers.DiffusionPipeline.from_pretrained(folder, use_safetensors=True), file)


def test_a_single_file_draws_what_the_folder_draws(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("it went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    file = written(folder, tmp_path / "mine.safetensors")
    added = add_model(tmp_path / "models.toml", str(file), config=str(folder))
    assert (added.info.id, added.family.name) == ("mine", ModelFolder(folder).family.name)
    file.unlink()
    engines = [DiffusersEngine([model], "cpu") for model in (added, Catalogue().find(str(folder)))]
    options = {"width": 64, "height": 64, "num_inference_steps": 3, "guidance_scale": 5.0, "scheduler": "DDIM"}
    pictures = [draw(engine, engine.models[0], **options) for engine in engines]
    assert np.array_equal(*pictures)


def test_its_numbers_keep_their_format(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = tiny_model("stable-diffusion")
    pipe = diffusers.DiffusionPipeline.from_pretrained(folder, use_safetensors=True, dtype=torch.float16)
    file = original_format.write(pipe, tmp_path / "half.safetensors")
    add_model(tmp_path / "models.toml", str(file), name="halved", config=str(folder))
    (weights,) = (tmp_path / "halved" / "unet").glob("*.safetensors")
    assert {tensor.dtype for tensor in load_file(weights).values()} == {torch.float16}


def test_a_file_of_another_architecture_says_so_and_leaves_nothing(tiny_model: TinyModel, tmp_path: Path) -> None:
    file = written(tiny_model("stable-diffusion"), tmp_path / "mine.safetensors")
    with pytest.raises(EaselError, match="does not fit the architecture") as caught:
        add_model(tmp_path / "models.toml", str(file), config=str(tiny_model("stable-diffusion-xl")))
    assert caught.value.code == ErrorCode.ENGINE_FAILED
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_like_no_published_one_needs_its_architecture(folder: Path, tmp_path: Path) -> None:
    file = written(folder, tmp_path / "mine.safetensors")
    with pytest.raises(EaselError, match=r"text of width .*: name a folder .* with --config"):
        add_model(tmp_path / "models.toml", str(file))


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"lora_unet_down_blocks_0.lora_up.weight": 1}, "is a LoRA, which changes a model and is none itself"),
        ({"model.diffusion_model.out.0.weight": 1}, "lacks a VAE, a text encoder"),
        ({"transformer.layer.weight": 1}, "lacks a UNet, a VAE, a text encoder"),
    ],
)
def test_what_is_no_whole_model_is_refused(tmp_path: Path, tensors: dict[str, int], said: str) -> None:
    file = tmp_path / "part.safetensors"
    save_file({name: torch.zeros(size) for name, size in tensors.items()}, file)
    with pytest.raises(EaselError, match=said):
        add_model(tmp_path / "models.toml", str(file))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("old.ckpt", b"\x80\x02", "is pickled: such weights can run code and are never loaded"),
        ("cut.safetensors", b"\xff\xff\0\0\0\0\0\0{", "is not a .safetensors file, or damaged"),
        ("empty.safetensors", b"", "is not a .safetensors file, or damaged"),
    ],
)
def test_a_file_that_may_run_code_or_is_damaged_is_refused(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EaselError, match=said):
        add_model(tmp_path / "models.toml", str(tmp_path / name))
    assert not (tmp_path / "models.toml").exists()


def test_a_file_in_the_place_of_a_folder_says_how_it_becomes_one(tmp_path: Path) -> None:
    (tmp_path / "mine.safetensors").write_bytes(b"")
    with pytest.raises(EaselError, match=r"easel models add .*mine\.safetensors makes a model of it"):
        Catalogue().find(str(tmp_path / "mine.safetensors"))


def test_a_folder_that_is_there_is_not_written_over(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    file = written(folder, tmp_path / "mine.safetensors")
    with pytest.raises(EaselError, match="is there already: choose another name") as caught:
        add_model(tmp_path / "models.toml", str(file), config=str(folder))
    assert caught.value.code == ErrorCode.CONFLICT


def test_the_published_architectures_come_along() -> None:
    """Their numbers, without building them: 860 and 2,567 million in the UNets, as published."""
    for family, millions in (("stable-diffusion", 860), ("stable-diffusion-xl", 2567)):
        config = json.loads((CONFIGS / family / "unet" / "config.json").read_text())
        with torch.device("meta"):
            unet = diffusers.UNet2DConditionModel.from_config(config)
        assert round(sum(it.numel() for it in unet.parameters()) / 1e6) == millions
        assert ModelFolder(CONFIGS / family).family.name == family


def test_a_published_architecture_is_told_by_its_shapes(tmp_path: Path) -> None:
    shapes = {
        "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
        "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (1, 2048),
        "first_stage_model.decoder.conv_in.weight": (1,),
        "conditioner.embedders.0.transformer.text_model.final_layer_norm.bias": (1,),
    }
    file = tmp_path / "xl.safetensors"
    save_file({name: torch.zeros(shape, dtype=torch.bfloat16) for name, shape in shapes.items()}, file)
    checkpoint = Checkpoint(file)
    assert checkpoint.config().family.name == "stable-diffusion-xl"
    assert checkpoint.dtype() == "bfloat16"


def test_the_tokenizer_that_comes_along_is_clips() -> None:
    """The ids of CLIP's own example, and of letters beyond ASCII."""
    tokenizer = clip_tokenizer("<|endoftext|>")
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert len(tokenizer) == 49408
    assert clip_tokenizer("!").pad_token_id == 0
    assert tokenizer.decode(tokenizer("Übermut 東京 a").input_ids, skip_special_tokens=True) == "übermut 東京 a"
