"""Step caches: what they skip, that they keep to their own request, and who has none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("diffusers")

import torch

from contracts.errors import EaselError, ErrorCode
from contracts.images import GenerateImage, Lora
from runtime.worker.handler import JobCancelled
from runtime.worker.images.engine import PreviewSource
from services.diffusion.catalogue import Catalogue
from services.diffusion.engines.backend import Networks
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.sample import sample_call
from services.diffusion.engines.step_caches import step_cache
from services.diffusion.engines.torch_backend import TorchBackend
from services.diffusion.loras.lora_folder import LoraFolder
from tests.conformance.image_engine import Steps, draw, fault_of, pixels, request_for

pytestmark = [
    pytest.mark.usefixtures("one_torch_thread"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
TinyModel = Callable[[str], Path]
UNETS = ["stable-diffusion", "stable-diffusion-xl"]
TRANSFORMERS = ["stable-diffusion-3", "flux-dev", "z-image"]
CACHE = {**dict.fromkeys(UNETS, "deepcache:3"), **dict.fromkeys(TRANSFORMERS, "first_block_cache:1")}
WAIT_S = 60.0


def engine_of(folder: Path, **options: Any) -> DiffusersEngine:
    return DiffusersEngine([Catalogue().find(str(folder))], "cpu", **options)


def counted(engine: DiffusersEngine, part: str) -> list[int]:
    """One entry for each call of a part of the denoiser from now on."""
    engine.load(engine.models[0].id)
    calls: list[int] = []
    denoiser = engine._cache.peek(engine.models[0].id).denoiser
    denoiser.get_submodule(part).register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


@pytest.mark.parametrize("family", UNETS)
def test_deepcache_runs_the_whole_network_every_so_many_steps(tiny_model: TinyModel, family: str) -> None:
    engine = engine_of(tiny_model(family))
    deep = counted(engine, "mid_block")
    shallow = counted(engine, "up_blocks.1.resnets.1")
    draw(engine, engine.models[0], num_inference_steps=7, cache="deepcache:3", scheduler="DDIM")
    assert (len(deep), len(shallow)) == (3, 7)


def test_the_bundled_model_has_one_too() -> None:
    """Its network has no middle block."""
    engine = DiffusersEngine([Catalogue().find("pocket")], "cpu")
    deep, shallow = counted(engine, "down_blocks.0"), counted(engine, "conv_out")
    draw(engine, engine.models[0], num_inference_steps=4, cache="deepcache:2")
    assert (len(deep), len(shallow)) == (2, 4)


@pytest.mark.parametrize(
    ("family", "first", "last"),
    [
        ("stable-diffusion-3", "transformer_blocks.0", "transformer_blocks.1"),
        ("flux-dev", "transformer_blocks.0", "single_transformer_blocks.1"),
        ("z-image", "layers.0", "layers.1"),
    ],
)
def test_the_first_block_decides_whether_the_others_run(
    tiny_model: TinyModel, family: str, first: str, last: str
) -> None:
    engine = engine_of(tiny_model(family))
    all_steps, whole_steps = counted(engine, first), counted(engine, last)
    draw(engine, engine.models[0], num_inference_steps=6, cache="first_block_cache:1")
    assert (len(all_steps), len(whole_steps)) == (6, 1)
    draw(engine, engine.models[0], num_inference_steps=6, cache="first_block_cache:0.001")
    assert len(all_steps) == 12
    assert len(whole_steps) > 2


@pytest.mark.parametrize("family", CACHE)
def test_a_step_that_is_made_again_gives_the_same_from_the_cache(tiny_model: TinyModel, family: str) -> None:
    """What is reused is then what would be computed: nothing else may differ."""
    engine = engine_of(tiny_model(family))
    engine.load(engine.models[0].id)
    loaded = engine._cache.peek(engine.models[0].id)
    call, cache = sample_call(loaded), step_cache(loaded.denoiser, CACHE[family])
    with torch.inference_mode():
        (plain,), (whole,), (reused,) = loaded.run([call]), cache([call]), cache([call])
    assert all(torch.equal(one, other) for one, other in zip(plain, whole, strict=True))
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(plain, reused, strict=True))


@pytest.mark.parametrize("family", CACHE)
def test_a_cached_picture_repeats_and_leaves_no_trace(tiny_model: TinyModel, family: str) -> None:
    engine = engine_of(tiny_model(family))
    info = engine.models[0]
    options = {"num_inference_steps": 6, "guidance_scale": 3.0}
    before = draw(engine, info, **options)
    cached = [draw(engine, info, cache=CACHE[family], **options) for _ in range(2)]
    assert np.array_equal(*cached)
    assert not np.array_equal(before, cached[0])
    assert np.array_equal(before, draw(engine, info, **options))


@pytest.mark.parametrize("family", CACHE)
def test_requests_with_and_without_a_cache_share_a_model_and_draw_what_they_draw_alone(
    tiny_model: TinyModel, family: str
) -> None:
    engine = engine_of(tiny_model(family), max_batch=4)
    info = engine.models[0]
    asked = [
        request_for(info, seed=seed, num_inference_steps=6, cache=CACHE[family] if seed % 2 else "")
        for seed in range(4)
    ]
    met = threading.Barrier(len(asked))

    def with_all(request: GenerateImage) -> np.ndarray[Any, Any]:
        def on_step(done: int, _total: int, _preview: PreviewSource | None = None, /) -> None:
            if done == 1:
                met.wait(WAIT_S)

        return pixels(engine.generate(request, on_step))

    with ThreadPoolExecutor(len(asked)) as threads:
        together = list(threads.map(with_all, asked))
    for request, picture in zip(asked, together, strict=True):
        assert np.abs(picture - pixels(engine.generate(request, Steps()))).max() <= 2


def test_a_cancelled_request_puts_the_network_back(tiny_model: TinyModel) -> None:
    engine = engine_of(tiny_model("stable-diffusion"))
    info = engine.models[0]
    before = draw(engine, info)
    with pytest.raises(JobCancelled):
        engine.generate(request_for(info, num_inference_steps=6, cache="deepcache:3"), Steps(cancel_at=2))
    assert np.array_equal(before, draw(engine, info))


@pytest.mark.parametrize(
    ("family", "asked", "code"),
    [
        ("latent-consistency", "deepcache:3", ErrorCode.UNSUPPORTED),
        ("flux-dev", "deepcache:3", ErrorCode.UNSUPPORTED),
        ("stable-diffusion", "first_block_cache:0.1", ErrorCode.UNSUPPORTED),
        ("stable-diffusion", "deepcache:99", ErrorCode.INVALID_REQUEST),
    ],
)
def test_a_cache_that_the_model_has_not_is_refused_before_the_first_step(
    tiny_model: TinyModel, family: str, asked: str, code: ErrorCode
) -> None:
    engine, steps = engine_of(tiny_model(family)), Steps()
    fault = fault_of(engine, request_for(engine.models[0], cache=asked), steps)
    assert (fault.code, fault.param, steps.seen) == (code, "cache", [])


def test_openvino_offers_none(tiny_model: TinyModel, tmp_path: Path) -> None:
    backend = pytest.importorskip("services.diffusion.engines.openvino.backend")
    model = Catalogue().find(str(tiny_model("stable-diffusion")))
    engine = DiffusersEngine([model], "cpu", lambda device: backend.OpenVINOBackend(device, cache=tmp_path))
    assert model.info.caches == ("deepcache:3",)
    assert engine.models[0].caches == ()
    assert fault_of(engine, request_for(engine.models[0], cache="deepcache:3"), Steps()).code == ErrorCode.UNSUPPORTED


def test_an_offloaded_model_says_that_it_has_none(tiny_model: TinyModel) -> None:
    class Offloaded(TorchBackend):
        def load(self, model: Any) -> Networks:
            return replace(super().load(model), offloaded=True)

    engine = engine_of(tiny_model("stable-diffusion"), make_backend=Offloaded)
    fault = fault_of(engine, request_for(engine.models[0], cache="deepcache:3"), Steps())
    assert (fault.code, fault.param) == (ErrorCode.UNSUPPORTED, "cache")
    assert "is offloaded" in fault.message


def test_a_models_entry_may_name_one_for_all_its_requests(tiny_model: TinyModel, tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    entry = f'[[model]]\nid = "mine"\nsource = "{tiny_model("stable-diffusion")}"\n'
    file.write_text(f'{entry}cache = "deepcache"\n')
    assert Catalogue(str(file)).find("mine").info.cache == "deepcache:3"
    file.write_text(f'{entry}cache = "first_block_cache"\n')
    with pytest.raises(EaselError, match="no step cache 'first_block_cache'; there are: deepcache:3"):
        Catalogue(str(file)).find("mine")


def test_a_cached_step_wears_the_requests_loras_and_leaves_none(tiny_model: TinyModel, tiny_loras: TinyModel) -> None:
    engine = engine_of(tiny_model("flux-dev"), loras=LoraFolder(tiny_loras("flux-dev")))
    info, asked = engine.models[0], {"loras": (Lora("a"),), "num_inference_steps": 6}
    plain, worn = draw(engine, info, num_inference_steps=6), draw(engine, info, **asked)
    careful, hasty = (draw(engine, info, **asked, cache=f"first_block_cache:{it}") for it in (0.001, 1))
    assert np.array_equal(worn, careful)
    assert not np.array_equal(worn, hasty)
    assert np.array_equal(plain, draw(engine, info, num_inference_steps=6, cache="first_block_cache:0.001"))
