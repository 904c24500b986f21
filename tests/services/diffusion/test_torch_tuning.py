"""What torch may do to a model: each option works or says why it cannot, and pictures stay what they were."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("diffusers")

import diffusers
import torch

from contracts.errors import EaselError, ErrorCode
from contracts.images import Lora
from runtime.worker.images.engine import PreviewSource
from services.diffusion.catalogue import Catalogue, Model
from services.diffusion.engines.backend import Networks
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.factory import build_engine
from services.diffusion.engines.torch_backend import TorchBackend
from services.diffusion.engines.torch_tuning import choose_offload, place, tile
from services.diffusion.loras.lora_folder import LoraFolder
from services.diffusion.settings import DiffusionSettings
from services.diffusion.torch_options import Offload
from tests.conformance.image_engine import draw, request_for

pytestmark = [
    pytest.mark.usefixtures("one_torch_thread"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
TinyModel = Callable[[str], Path]
GPU = torch.device("cuda:0")
CPU = torch.device("cpu")
PARTS = {"unet": 8e9, "text_encoder": 2e9}


def engine_of(folder: Path, **options: Any) -> DiffusersEngine:
    engine = build_engine(DiffusionSettings(models=(str(folder),), engine="diffusers", device="cpu", **options))
    assert isinstance(engine, DiffusersEngine)
    return engine


def refusal(folder: Path, **options: Any) -> EaselError:
    engine = engine_of(folder, **options)
    with pytest.raises(EaselError) as caught:
        engine.load(engine.models[0].id)
    assert engine.loaded == ()
    return caught.value


def difference(one: np.ndarray, other: np.ndarray) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


class OffloadingBackend(TorchBackend):
    """With the CPU as the device that layers are brought to: the hooks are those of a GPU, nothing moves."""

    def __init__(self, device: str, offload: Offload) -> None:
        super().__init__(device)
        self._offload = offload

    def load(self, model: Model) -> Networks:
        networks = super().load(model)
        place(networks.pipe, self._offload, CPU)
        return networks


@pytest.mark.parametrize("family", ["stable-diffusion", "stable-diffusion-3", "flux-dev", "z-image"])
@pytest.mark.parametrize("offload", ["model", "group", "sequential"])
def test_an_offloaded_model_draws_the_same_pictures_and_previews(
    tiny_model: TinyModel, family: str, offload: Offload
) -> None:
    plain = engine_of(tiny_model(family))
    model = Catalogue().find(str(tiny_model(family)))
    engine = DiffusersEngine([model], "cpu", lambda device: OffloadingBackend(device, offload), max_batch=1)
    seen: list[list[Any]] = []

    def look(_done: int, _total: int, preview: PreviewSource | None = None, /) -> None:
        assert preview is not None
        seen.append(preview())

    engine.generate(request_for(model.info), look)
    assert seen
    assert all(min(pictures[0].shape[:2]) >= 8 for pictures in seen)
    for _ in range(2):
        assert difference(draw(plain, plain.models[0]), draw(engine, model.info)) <= 1


@pytest.mark.parametrize(
    ("free", "chosen"), [(20e9, "none"), (11e9, "model"), (4e9, "group")], ids=["all", "the largest part", "a layer"]
)
def test_as_little_is_offloaded_as_the_free_memory_asks_for(free: float, chosen: str) -> None:
    assert choose_offload("auto", GPU, PARTS, free) == chosen


def test_what_was_asked_for_is_done_whatever_fits() -> None:
    assert choose_offload("sequential", GPU, PARTS, 20e9) == "sequential"
    assert choose_offload("none", GPU, PARTS, 1e9) == "none"


def test_a_device_that_shares_the_main_memory_offloads_nothing(tiny_model: TinyModel) -> None:
    assert choose_offload("auto", torch.device("mps"), PARTS, 1.0) == "none"
    fault = refusal(tiny_model("stable-diffusion"), offload="model")
    assert fault.code == ErrorCode.UNSUPPORTED
    assert "offload=model moves weights to the main memory, where cpu has them already" in fault.message


def test_an_unknown_attention_back_end_is_refused_with_those_there_are(tiny_model: TinyModel) -> None:
    fault = refusal(tiny_model("flux-dev"), attention_backend="quick")
    assert "no attention back end 'quick'; diffusers has flash," in fault.message


def test_an_attention_back_end_whose_package_is_missing_says_which(tiny_model: TinyModel) -> None:
    assert "flash-attn" in refusal(tiny_model("flux-dev"), attention_backend="flash").message


def test_an_attention_back_end_that_the_device_lacks_is_told_at_load(tiny_model: TinyModel) -> None:
    message = refusal(tiny_model("flux-dev"), attention_backend="_native_cudnn").message
    assert "attention_backend=_native_cudnn does not work here with tiny-flux-dev" in message


@pytest.mark.parametrize("family", ["stable-diffusion", "stable-diffusion-3"])
def test_an_attention_back_end_is_refused_where_it_would_have_no_effect(tiny_model: TinyModel, family: str) -> None:
    assert "always uses torch's own attention" in refusal(tiny_model(family), attention_backend="native").message


@pytest.mark.parametrize("family", ["flux-dev", "z-image"])
def test_another_attention_back_end_draws_the_same_and_is_forgotten_by_the_next_model(
    tiny_model: TinyModel, family: str
) -> None:
    plain, other = engine_of(tiny_model(family)), engine_of(tiny_model(family), attention_backend="_native_math")
    expected = draw(plain, plain.models[0])
    assert difference(expected, draw(other, other.models[0])) <= 1
    anew = engine_of(tiny_model(family))
    assert np.array_equal(expected, draw(anew, anew.models[0]))


def test_an_entry_of_the_models_file_comes_before_the_settings(tiny_model: TinyModel, tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    source = tiny_model("stable-diffusion")
    file.write_text(f'[[model]]\nid = "mine"\nsource = "{source}"\n[model.torch]\nattention_backend = ""\n')
    settings = {"models": ("mine",), "models_file": str(file), "engine": "diffusers", "device": "cpu"}
    engine = build_engine(DiffusionSettings(**settings, attention_backend="native"))
    engine.load("mine")
    assert engine.loaded == ("mine",)


def test_options_of_torch_are_refused_by_openvino(tiny_model: TinyModel) -> None:
    pytest.importorskip("openvino")
    settings = DiffusionSettings(models=(str(tiny_model("flux-dev")),), engine="openvino", compile=True)
    with pytest.raises(EaselError, match="has no compile_repeated_blocks: set EASEL_DIFFUSION_ENGINE=diffusers"):
        build_engine(settings)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for CPUs with g++")
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("family", ["stable-diffusion", "stable-diffusion-3"])
def test_compiled_blocks_draw_the_same_alone_and_several_at_once(tiny_model: TinyModel, family: str) -> None:
    plain = engine_of(tiny_model(family), max_batch="1")
    compiled = engine_of(tiny_model(family), max_batch="4", compile=True)
    info = plain.models[0]
    compiled.load(info.id)
    calls = {
        type(part).__name__ for part in compiled._cache.peek(info.id).denoiser.modules() if part._compiled_call_impl
    }
    assert calls in ({"BasicTransformerBlock"}, {"JointTransformerBlock"})
    assert difference(draw(plain, info), draw(compiled, info)) <= 1
    assert difference(draw(plain, info, num_images=2), draw(compiled, info, num_images=2)) <= 1


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for CPUs with g++")
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_compiled_blocks_do_not_pass_over_a_lora(tiny_model: TinyModel, tiny_loras: TinyModel) -> None:
    family, loras = "stable-diffusion-3", (Lora("a"),)
    settings = {"lora_dir": str(tiny_loras(family)), "max_batch": "1"}
    plain, compiled = (engine_of(tiny_model(family), **settings, compile=it) for it in (False, True))
    info = plain.models[0]
    before = draw(compiled, info)
    assert difference(draw(plain, info, loras=loras), draw(compiled, info, loras=loras)) <= 1
    assert np.array_equal(before, draw(compiled, info))


@pytest.mark.parametrize("offload", ["model", "group", "sequential"])
def test_an_offloaded_model_takes_loras(tiny_model: TinyModel, tiny_loras: TinyModel, offload: Offload) -> None:
    model, loras = Catalogue().find(str(tiny_model("stable-diffusion-3"))), LoraFolder(tiny_loras("stable-diffusion-3"))
    plain = DiffusersEngine([model], "cpu", loras=loras)
    offloaded = DiffusersEngine([model], "cpu", lambda device: OffloadingBackend(device, offload), loras=loras)
    info = plain.models[0]
    for asked in ((Lora("a"),), (), (Lora("a", 0.5), Lora("styles/b"))):
        assert difference(draw(plain, info, loras=asked), draw(offloaded, info, loras=asked)) <= 1


def vae_of(side: int) -> Any:
    torch.manual_seed(0)
    return diffusers.AutoencoderKL(
        latent_channels=4,
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=side,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    ).eval()


@pytest.mark.parametrize(
    ("tiling", "sides"),
    [("auto", [64, 64]), ("always", [32, 32]), ("never", [64, 96])],
    ids=["auto", "always", "never"],
)
def test_pictures_larger_than_the_tiles_are_decoded_in_parts(tiling: Any, sides: list[int]) -> None:
    """The largest piece that the decoder sees, for pictures of the VAE's own size and half as large again."""
    vae, pieces = vae_of(64), list[int]()
    tile(vae, tiling)
    vae.decoder.register_forward_hook(lambda _module, given, _made: pieces.append(8 * given[0].shape[-1]))
    largest = []
    for side in (64, 96):
        pieces.clear()
        with torch.inference_mode():
            assert vae.decode(torch.zeros(1, 4, side // 8, side // 8)).sample.shape[-1] == side
        largest.append(max(pieces))
    assert largest == sides
