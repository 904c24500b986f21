"""Previews by a network of the model's own, and what happens where there is none or a broken one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("diffusers")

import torch
from safetensors.torch import save_file

from contracts.errors import EaselError
from services.diffusion.catalogue import Catalogue
from services.diffusion.engines.backend import MakeBackend
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.preview_network import FILE, SCALE, PreviewBytes, PreviewNetwork, TorchPreview
from services.diffusion.engines.previews import FINER
from services.diffusion.engines.torch_backend import TorchBackend
from tests.conformance.image_engine import Steps, request_for

pytestmark = [
    pytest.mark.usefixtures("one_torch_thread"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
TinyModel = Callable[[str], Path]


@pytest.fixture
def folder(tiny_model: TinyModel, tmp_path: Path) -> Path:
    own = tmp_path / "own"
    shutil.copytree(tiny_model("stable-diffusion"), own)
    return own


def backend(runs: str, kept: Path) -> MakeBackend:
    if runs == "torch":
        return TorchBackend
    openvino = pytest.importorskip("services.diffusion.engines.openvino.backend")
    return lambda device: openvino.OpenVINOBackend(device, cache=kept)


def engine_with(folder: Path) -> DiffusersEngine:
    return DiffusersEngine([Catalogue().find(str(folder))], "cpu")


def put_network(folder: Path, network: PreviewNetwork) -> None:
    (folder / FILE).parent.mkdir()
    save_file(network.state_dict(), folder / FILE)


def previews_of(folder: Path) -> Steps:
    engine, steps = engine_with(folder), Steps()
    engine.generate(request_for(engine.models[0]), steps)
    return steps


@pytest.mark.parametrize("runs", ["torch", "openvino"])
def test_the_bundled_models_previews_are_nearly_its_pictures_at_half_size(runs: str, tmp_path: Path) -> None:
    """It draws pictures, which the tiny models do not."""
    engine = DiffusersEngine([Catalogue().find("pocket")], "cpu", backend(runs, tmp_path))
    for seed, prompt in enumerate(("a red apple", "the sea at night")):
        steps = Steps()
        asked = request_for(engine.models[0], seed=seed, prompt=prompt, num_inference_steps=8)
        picture = np.asarray(engine.generate(asked, steps)[0].resize((128, 128)), dtype=float)
        preview = steps.previews[-1][0].astype(float)
        assert preview.shape == (128, 128, 3)
        assert np.corrcoef(picture.ravel(), preview.ravel())[0, 1] > 0.95


def test_a_model_with_a_preview_network_is_previewed_by_it(folder: Path) -> None:
    fitted = previews_of(folder).previews[0]
    put_network(folder, PreviewNetwork(4, channels=8))
    shown = previews_of(folder).previews[0]
    assert shown.shape[1] == fitted.shape[1] * SCALE // FINER


def test_a_preview_network_sees_latents_in_the_scale_of_the_vae() -> None:
    """Pipelines scale and shift them."""
    config = SimpleNamespace(scaling_factor=0.25, shift_factor=0.5)
    network, raw = PreviewNetwork(4, channels=8), torch.randn(1, 4, 8, 8)
    colours = network(raw)[0].permute(1, 2, 0) * 127.5 + 127.5
    (shown,) = TorchPreview(PreviewBytes(network, config), raw.device)(
        (raw - config.shift_factor) * config.scaling_factor
    )
    assert np.abs(shown - colours.detach().clamp(0, 255).numpy()).mean() < 1


def test_openvino_shows_what_torch_shows_for_every_picture_and_size(folder: Path, tmp_path: Path) -> None:
    """Its graph is made of the same network, and compiled for each size."""
    put_network(folder, PreviewNetwork(4, channels=8))
    model = Catalogue().find(str(folder))
    engines = [DiffusersEngine([model], "cpu", backend(runs, tmp_path)) for runs in ("torch", "openvino")]
    for width in (64, 96, 64):
        shown = []
        for engine in engines:
            steps = Steps()
            engine.generate(request_for(model.info, width=width, num_images=2), steps)
            shown.append(steps.previews[0])
        assert shown[0].shape == shown[1].shape
        assert shown[0].shape[:1] == (2,)
        between_pictures = np.abs(shown[1][0] - shown[1][1]).mean()
        assert np.abs(shown[0] - shown[1]).mean() < between_pictures / 10


@pytest.mark.parametrize("damage", [b"", b"no safetensors at all"])
def test_a_damaged_preview_network_refuses_the_model_and_is_named(folder: Path, damage: bytes) -> None:
    put_network(folder, PreviewNetwork(4, channels=8))
    (folder / FILE).write_bytes(damage)
    engine = engine_with(folder)
    with pytest.raises(EaselError, match="safetensors holds no preview network"):
        engine.load(engine.models[0].id)


def test_the_weights_of_something_else_are_refused_as_a_preview_network(folder: Path) -> None:
    put_network(folder, PreviewNetwork(4, channels=8))
    shutil.copy(folder / "vae/diffusion_pytorch_model.safetensors", folder / FILE)
    engine = engine_with(folder)
    with pytest.raises(EaselError, match="holds no preview network"):
        engine.load(engine.models[0].id)
