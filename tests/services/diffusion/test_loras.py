"""What a LoRA does to a picture: what diffusers and PEFT do; which are refused; which stay in memory."""

from __future__ import annotations

import json
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
from contracts.images import Lora
from services.diffusion.catalogue import Catalogue
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.pipelines import call_arguments, to_pictures
from services.diffusion.loras.lora_folder import LoraFolder
from tests.conformance.image_engine import Steps, draw, fault_of, pixels, request_for
from tests.support import tiny_loras, tiny_models

pytestmark = [
    pytest.mark.usefixtures("one_torch_thread"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
TinyModel = Callable[[str], Path]


def engine_of(folder: Path, loras: Path, **options: Any) -> DiffusersEngine:
    return DiffusersEngine([Catalogue().find(str(folder))], "cpu", loras=LoraFolder(loras, look_every_s=0), **options)


def by_diffusers(model: Path, lora: Path, weight: float) -> np.ndarray[Any, Any]:
    """The picture of `request_for` as diffusers draws it with PEFT."""
    pytest.importorskip("peft")
    pipe: Any = diffusers.DiffusionPipeline
    pipe = pipe.from_pretrained(model)
    pipe.set_progress_bar_config(disable=True)
    pipe.load_lora_weights(str(lora.parent), weight_name=lora.name, adapter_name="it")
    pipe.set_adapters(["it"], [weight])
    known = Catalogue().find(str(model))
    return pixels(to_pictures(pipe(**call_arguments(pipe, known, request_for(known.info))).images))


@pytest.mark.parametrize(
    ("family", "spelling"),
    [
        ("stable-diffusion", "diffusers"),
        ("stable-diffusion", "kohya"),
        ("latent-consistency", "kohya"),
        ("stable-diffusion-xl", "diffusers"),
        ("stable-diffusion-xl", "kohya"),
        ("stable-diffusion-3", "diffusers"),
        ("flux-dev", "diffusers"),
        ("flux-schnell", "diffusers"),
        ("z-image", "diffusers"),
    ],
)
def test_the_picture_is_that_of_diffusers_with_peft(
    tiny_model: TinyModel, tmp_path: Path, family: str, spelling: str
) -> None:
    file = tiny_loras.build(tiny_models.PIPELINES[family](), tmp_path / "it.safetensors", spelling=spelling)
    engine = engine_of(tiny_model(family), tmp_path)
    drawn = draw(engine, engine.models[0], loras=(Lora("it", 0.7),))
    assert np.abs(drawn - by_diffusers(tiny_model(family), file, 0.7)).max() <= 1


def test_each_layer_has_the_alpha_that_its_trainer_gave_it(tiny_model: TinyModel, tmp_path: Path) -> None:
    """PEFT passes over those of attention where they differ from most."""
    pipe = tiny_models.PIPELINES["stable-diffusion"]()
    weights = load_file(tiny_loras.build(pipe, tmp_path / "half.safetensors", spelling="kohya"))
    marks = ("attn2_to_q", "mid_block", "self_attn_k_proj")
    for key in [key for key in weights if key.endswith(".alpha") and any(mark in key for mark in marks)]:
        weights[key] *= 2
        weights[key.replace(".alpha", ".lora_up.weight")] /= 2
    save_file(weights, tmp_path / "same.safetensors")
    engine = engine_of(tiny_model("stable-diffusion"), tmp_path)
    half, same = (draw(engine, engine.models[0], loras=(Lora(name),)) for name in ("half", "same"))
    assert np.abs(half - same).max() <= 1


def test_the_alpha_that_peft_writes_beside_the_weights_counts(tiny_model: TinyModel, tmp_path: Path) -> None:
    file = tiny_loras.build(tiny_models.PIPELINES["flux-dev"](), tmp_path / "it.safetensors", parts=["transformer"])
    said = {"transformer.r": 2, "transformer.lora_alpha": 1, "transformer.alpha_pattern": {"attn.to_q": 4}}
    said |= {"transformer.rank_pattern": {}, "transformer.use_rslora": True}
    layers = {key.removeprefix("transformer.").split(".lora_")[0] for key in load_file(file)}
    config = json.dumps({**said, "transformer.target_modules": sorted(layers)})
    save_file(load_file(file), file, {"format": "pt", "lora_adapter_metadata": config})
    engine = engine_of(tiny_model("flux-dev"), tmp_path)
    drawn = draw(engine, engine.models[0], loras=(Lora("it"),))
    assert np.abs(drawn - by_diffusers(tiny_model("flux-dev"), file, 1.0)).max() <= 1


def test_a_lora_for_the_text_encoder_alone_is_not_lost_in_the_prompt_cache(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    pipe = tiny_models.PIPELINES["stable-diffusion"]()
    tiny_loras.build(pipe, tmp_path / "words.safetensors", parts=["text_encoder"], spelling="kohya")
    engine = engine_of(tiny_model("stable-diffusion"), tmp_path, prompt_cache_mb=1)
    info, loras = engine.models[0], (Lora("words"),)
    plain, worded = draw(engine, info), draw(engine, info, loras=loras)
    assert not np.array_equal(plain, worded)
    assert np.array_equal(plain, draw(engine, info))
    assert np.array_equal(worded, draw(engine, info, loras=loras))


def test_the_bundled_model_takes_loras(tmp_path: Path) -> None:
    model = Catalogue().find("pocket")
    kind: Any = diffusers.DiffusionPipeline
    tiny_loras.build(kind.from_pretrained(model.folder), tmp_path / "ink.safetensors", parts=["unet"], spelling="kohya")
    engine = engine_of(Path(str(model.folder)), tmp_path)
    info = engine.models[0]
    assert info.loras == ("ink",)
    assert not np.array_equal(draw(engine, info), draw(engine, info, loras=(Lora("ink", 0.05),)))


def refusal(engine: DiffusersEngine, name: str) -> str:
    steps = Steps()
    fault = fault_of(engine, request_for(engine.models[0], loras=(Lora(name),)), steps)
    assert (fault.code, fault.param, steps.seen) == (ErrorCode.UNSUPPORTED, "loras", [])
    return fault.message


def test_a_lora_of_other_shapes_is_refused_with_both_names_and_both_shapes(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    file = tiny_loras.build(tiny_models.PIPELINES["stable-diffusion"](), tmp_path / "wide.safetensors", parts=["unet"])
    weights, key = load_file(file), "unet.conv_in.lora_B.weight"
    save_file({**weights, key: torch.zeros(24, 2, 1, 1)}, file)
    engine = engine_of(tiny_model("stable-diffusion"), tmp_path)
    before = draw(engine, engine.models[0])
    said = refusal(engine, "wide")
    assert f"the LoRA 'wide' does not fit {engine.models[0].id}" in said
    assert "24x4x3x3, the model's 16x4x3x3" in said
    assert np.array_equal(before, draw(engine, engine.models[0]))


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("unet.down_blocks.7.conv.lora_A.weight", "down_blocks.7.conv, which the model has not"),
        ("text_encoder_2.encoder.layers.0.mlp.fc1.lora_A.weight", "text_encoder_2, which the model has not"),
        ("unet.conv_in.lora_A.bias", "nothing that Easel knows how to add"),
        ("unet.conv_norm_out.lora_A.weight", "neither a linear layer nor a convolution"),
    ],
)
def test_a_lora_with_more_than_the_model_has_is_refused(
    tiny_model: TinyModel, tmp_path: Path, key: str, said: str
) -> None:
    """Rather than added in part."""
    file = tiny_loras.build(tiny_models.PIPELINES["stable-diffusion"](), tmp_path / "more.safetensors", parts=["unet"])
    save_file({**load_file(file), key: torch.zeros(2, 4)}, file)
    assert said in refusal(engine_of(tiny_model("stable-diffusion"), tmp_path), "more")


def test_a_lora_that_was_taken_away_is_no_longer_offered(tiny_model: TinyModel, tmp_path: Path) -> None:
    file = tiny_loras.build(tiny_models.PIPELINES["flux-dev"](), tmp_path / "it.safetensors")
    engine = engine_of(tiny_model("flux-dev"), tmp_path)
    draw(engine, engine.models[0], loras=(Lora("it"),))
    file.unlink()
    assert "has no LoRA 'it'; there are: none" in refusal(engine, "it")


def several(tmp_path: Path, names: str) -> Path:
    for seed, name in enumerate(names):
        tiny_loras.build(tiny_models.PIPELINES["flux-dev"](), tmp_path / f"{name}.safetensors", seed=seed)
    return tmp_path


def hot(engine: DiffusersEngine) -> list[str]:
    loaded = engine._cache.peek(engine.models[0].id)
    assert loaded is not None
    return [file.name for file in loaded.adapters._hot]


def test_the_loras_used_last_stay_in_memory(tiny_model: TinyModel, tmp_path: Path) -> None:
    engine = engine_of(tiny_model("flux-dev"), several(tmp_path, "abc"), keep_loras=2)
    info = engine.models[0]
    pictures = {name: draw(engine, info, loras=(Lora(name),)) for name in "abac"}
    assert hot(engine) == ["a", "c"]
    assert np.array_equal(pictures["b"], draw(engine, info, loras=(Lora("b"),)))
    assert hot(engine) == ["c", "b"]


def test_requests_with_the_same_loras_and_weights_share_what_they_wear(tiny_model: TinyModel, tmp_path: Path) -> None:
    """Or OpenVINO would compile for each, and torch merge none."""
    engine = engine_of(tiny_model("flux-dev"), several(tmp_path, "a"), keep_loras=4)
    engine.load(engine.models[0].id)
    loaded = engine._cache.peek(engine.models[0].id)
    assert loaded is not None
    file = engine._loras.files["a"]
    first = [loaded.adapters.worn(((file, weight / 4),)) for weight in range(4)]
    assert [loaded.adapters.worn(((file, weight / 4),)) for weight in range(4)] == first
    loaded.adapters.worn(((file, 2.0),))
    assert loaded.adapters.worn(((file, 0.75),)) is first[3]
    assert loaded.adapters.worn(((file, 0.0),)) is not first[0]


def test_loras_count_as_memory_and_make_room_for_each_other(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = several(tmp_path, "ab")
    roomy = engine_of(tiny_model("flux-dev"), folder)
    info = roomy.models[0]
    draw(roomy, info)
    loaded = roomy._cache.peek(info.id)
    assert loaded is not None
    own, each = loaded.size, (folder / "a.safetensors").stat().st_size
    engine = engine_of(tiny_model("flux-dev"), folder, memory_gb=(own + 1.5 * each) / 1e9)
    for name in "ab":
        draw(engine, info, loras=(Lora(name),))
        assert hot(engine) == [name]
    both = request_for(info, loras=(Lora("a"), Lora("b")))
    with pytest.raises(
        EaselError, match=r"takes 0\.00 GB of memory, its LoRAs 0\.00 more, .* EASEL_DIFFUSION_MEMORY_GB"
    ):
        engine.generate(both, Steps())
    draw(engine, info, loras=(Lora("a"),))
