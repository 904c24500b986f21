"""What the diffusers engine does beyond the engines' suite: families' oddities, failures, memory, safety."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("diffusers")

import torch

from contracts.errors import EaselError, ErrorCode
from services.diffusion.catalogue import Catalogue
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.torch_backend import TorchBackend
from tests.conformance.image_engine import Steps, draw, fault_of, request_for

pytestmark = [
    pytest.mark.usefixtures("one_torch_thread"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
TinyModel = Callable[[str], Path]


def engine_of(*folders: Path, **options: Any) -> DiffusersEngine:
    return DiffusersEngine([Catalogue().find(str(folder)) for folder in folders], device="cpu", **options)


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to / "copy"))


def steps_of(engine: DiffusersEngine, **changes: Any) -> list[tuple[int, int]]:
    steps = Steps()
    engine.generate(request_for(engine.models[0], **changes), steps)
    return steps.seen


def test_pndm_reports_the_extra_step_that_it_makes(tiny_model: TinyModel) -> None:
    engine = engine_of(tiny_model("stable-diffusion"))
    assert steps_of(engine, num_inference_steps=3) == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_nine_steps_of_z_image_are_the_eight_that_they_always_were(tiny_model: TinyModel) -> None:
    engine = engine_of(tiny_model("z-image"))
    assert steps_of(engine, num_inference_steps=9)[-1] == (8, 8)
    info = engine.models[0]
    assert np.array_equal(draw(engine, info, num_inference_steps=9), draw(engine, info, num_inference_steps=8))


@pytest.mark.parametrize("family", ["stable-diffusion", "stable-diffusion-xl", "stable-diffusion-3", "z-image"])
def test_a_negative_prompt_has_the_effect_announced(tiny_model: TinyModel, family: str) -> None:
    engine = engine_of(tiny_model(family))
    info = engine.models[0]
    assert info.negative_prompt
    assert not np.array_equal(draw(engine, info), draw(engine, info, negative_prompt="ugly dogs"))


@pytest.mark.parametrize("family", ["flux-dev", "flux-schnell", "latent-consistency"])
def test_a_negative_prompt_does_no_harm_where_it_has_no_effect(tiny_model: TinyModel, family: str) -> None:
    engine = engine_of(tiny_model(family))
    info = engine.models[0]
    assert not info.negative_prompt
    assert np.array_equal(draw(engine, info), draw(engine, info, negative_prompt="ugly dogs"))


@pytest.mark.parametrize(
    ("field", "value"),
    [("num_inference_steps", 0), ("num_inference_steps", 151), ("guidance_scale", 30.5), ("guidance_scale", -1.0)],
)
def test_values_outside_the_limits_are_refused_by_their_field(tiny_model: TinyModel, field: str, value: float) -> None:
    engine, steps = engine_of(tiny_model("stable-diffusion")), Steps()
    fault = fault_of(engine, request_for(engine.models[0], **{field: value}), steps)
    assert (fault.code, fault.param, steps.seen, engine.loaded) == (ErrorCode.UNSUPPORTED, field, [], ())


def test_sides_beyond_the_limits_are_refused(tiny_model: TinyModel) -> None:
    engine = engine_of(tiny_model("stable-diffusion"))
    assert "32 to 256" in fault_of(engine, request_for(engine.models[0], width=264), Steps()).message


def test_numbers_that_are_no_picture_fail_the_job_and_say_what_helps(tiny_model: TinyModel) -> None:
    engine = engine_of(tiny_model("stable-diffusion"))
    info = engine.models[0]
    before = draw(engine, info)
    weight = engine._cache.find(info.id).pipe.unet.conv_in.weight.data
    saved = weight.clone()
    weight.fill_(float("nan"))
    fault = fault_of(engine, request_for(info), Steps())
    assert fault.code == ErrorCode.ENGINE_FAILED
    assert "EASEL_DIFFUSION_DTYPE" in fault.message
    weight.copy_(saved)
    assert np.array_equal(before, draw(engine, info))


@pytest.mark.parametrize(
    "fault",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
)
def test_too_little_memory_fails_the_job_and_the_engine_lives_on(
    tiny_model: TinyModel, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    engine = engine_of(tiny_model("stable-diffusion"))
    info = engine.models[0]
    before = draw(engine, info)

    def refuse(*_: Any, **__: Any) -> None:
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(engine._cache.find(info.id).pipe.unet, "forward", refuse)
        failure = fault_of(engine, request_for(info), Steps())
    assert failure.code == ErrorCode.ENGINE_FAILED
    assert "fewer or smaller pictures" in failure.message
    assert np.array_equal(before, draw(engine, info))


def test_damaged_weights_fail_the_load_and_the_engine_lives_on(tiny_model: TinyModel, tmp_path: Path) -> None:
    damaged = copied(tiny_model("stable-diffusion"), tmp_path)
    (damaged / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"not safetensors")
    engine = engine_of(damaged, tiny_model("flux-schnell"))
    with pytest.raises(EaselError, match="loading copy failed") as caught:
        engine.load("copy")
    assert caught.value.code == ErrorCode.ENGINE_FAILED
    assert draw(engine, engine.models[1]).any()


def test_the_model_unused_for_longest_makes_room(tiny_model: TinyModel) -> None:
    first, second, third = (tiny_model(name) for name in ("stable-diffusion", "flux-schnell", "z-image"))
    engine = engine_of(first, second, third, keep=2)
    for folder in (first, second, first, third):
        engine.load(folder.name)
    assert engine.loaded == (first.name, third.name)


def test_a_request_may_name_the_model_by_any_of_its_names(tiny_model: TinyModel) -> None:
    folder = tiny_model("flux-schnell")
    engine = engine_of(folder)
    assert draw(engine, engine.models[0], model=str(folder)).any()


def test_a_safety_checker_in_the_index_is_not_needed(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = copied(tiny_model("stable-diffusion"), tmp_path)
    index = json.loads((folder / "model_index.json").read_text())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    (folder / "model_index.json").write_text(json.dumps(index))
    engine = engine_of(folder)
    engine.load("copy")
    assert engine.loaded == ("copy",)


def test_code_in_a_model_folder_is_never_run(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder, mark = copied(tiny_model("stable-diffusion"), tmp_path), tmp_path / "ran"
    (folder / "unet" / "surprise.py").write_text(f"open({str(mark)!r}, 'w')\nclass Surprise: pass\n")
    index = json.loads((folder / "model_index.json").read_text())
    index["unet"] = ["surprise", "Surprise"]
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(EaselError, match="code that comes with a model is never run"):
        engine_of(folder).load("copy")
    assert not mark.exists()


def test_sixteen_bits_draw_the_same_composition(tiny_model: TinyModel) -> None:
    folder = tiny_model("stable-diffusion-xl")
    exact, rough = (
        engine_of(folder, make_backend=partial(TorchBackend, dtype=dtype)) for dtype in ("float32", "bfloat16")
    )
    difference = np.abs(draw(exact, exact.models[0]) - draw(rough, rough.models[0]))
    assert difference.mean() < 8
