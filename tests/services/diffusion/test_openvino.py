"""What the engine does on OpenVINO beyond the engines' suite: it draws torch's pictures, converts once, keeps to itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("diffusers")
pytest.importorskip("services.diffusion.engines.openvino.backend", reason="openvino is not installed")

from contracts.errors import EaselError
from contracts.images import Lora
from services.diffusion.catalogue import Catalogue
from services.diffusion.choices import cache_folder
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.factory import build_engine
from services.diffusion.engines.openvino.backend import OpenVINOBackend
from services.diffusion.engines.torch_backend import TorchBackend
from services.diffusion.loras.lora_folder import LoraFolder
from services.diffusion.settings import DiffusionSettings
from services.diffusion.torch_options import TorchOptions
from tests.conformance.image_engine import draw

pytestmark = [
    pytest.mark.xdist_group("openvino"),  # converting takes seconds for each family and process
    pytest.mark.usefixtures("one_torch_thread"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
TinyModel = Callable[[str], Path]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the tests: each family is converted once."""
    return tmp_path_factory.mktemp("cache")


def engine_of(folder: Path, cache: Path, **options: Any) -> DiffusersEngine:
    make = partial(OpenVINOBackend, cache=cache, **({"dtype": "float32"} | options))
    return DiffusersEngine([Catalogue().find(str(folder))], "cpu", make)


@pytest.mark.parametrize(
    "family", ["stable-diffusion", "stable-diffusion-xl", "flux-dev", "stable-diffusion-3", "z-image"]
)
def test_the_picture_is_that_of_torch(tiny_model: TinyModel, cache: Path, family: str) -> None:
    """Of a size and number that conversion did not see, with everything that guidance brings."""
    folder = tiny_model(family)
    whole = partial(TorchBackend, options=TorchOptions(vae_tiling="never"))
    plain, compiled = DiffusersEngine([Catalogue().find(str(folder))], "cpu", whole), engine_of(folder, cache)
    info = plain.models[0]
    wide = info.default_width + 2 * info.size_multiple
    drawn = [draw(engine, info, width=wide, num_images=2, negative_prompt="dull") for engine in (plain, compiled)]
    assert np.abs(drawn[0] - drawn[1]).max() <= 2


def test_a_model_is_converted_once_for_all_workers(tiny_model: TinyModel, cache: Path) -> None:
    folder = tiny_model("stable-diffusion")
    engine_of(folder, cache).load(folder.name)
    before = {file: file.stat().st_mtime_ns for file in cache.rglob("*.xml")}
    engine_of(folder, cache).load(folder.name)
    assert before
    assert before == {file: file.stat().st_mtime_ns for file in cache.rglob("*.xml")}
    assert not list(cache.rglob("converting-*"))


def test_what_was_compiled_for_one_precision_is_not_taken_for_another(tiny_model: TinyModel, tmp_path: Path) -> None:
    """OpenVINO itself takes it, and the process dies at the first step of a model of full size."""
    folder = tiny_model("stable-diffusion")
    alone = engine_of(folder, tmp_path / "alone", dtype="bfloat16")
    info = alone.models[0]
    engine_of(folder, tmp_path / "shared").load(folder.name)
    after = engine_of(folder, tmp_path / "shared", dtype="bfloat16")
    assert np.array_equal(draw(alone, info), draw(after, info))
    kept = [len(list(it.glob("*.blob"))) for it in (tmp_path / "shared").rglob("compiled-*")]
    assert kept == [3, 3], "denoiser, decoder and encoder for each"


def test_graphs_for_one_shape_draw_the_same(tiny_model: TinyModel, cache: Path) -> None:
    folder = tiny_model("stable-diffusion")
    dynamic, static = engine_of(folder, cache), engine_of(folder, cache, static=True)
    info = dynamic.models[0]
    for changes in ({}, {"width": 96}, {"num_images": 2}):
        assert np.abs(draw(dynamic, info, **changes) - draw(static, info, **changes)).max() <= 2


def test_weights_of_eight_bits_take_less_room_and_draw_nearly_the_same(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = tiny_model("stable-diffusion-3")
    exact, small = (
        engine_of(folder, tmp_path / name, eight_bits=eight) for name, eight in (("16", False), ("8", True))
    )
    info = exact.models[0]
    assert np.abs(draw(exact, info) - draw(small, info)).mean() < 8
    sixteen, eight = (next((tmp_path / name).rglob("denoiser.bin")).stat().st_size for name in ("16", "8"))
    assert eight < 0.75 * sixteen


@pytest.mark.parametrize("form", [{}, {"eight_bits": True}, {"static": True}], ids=["float16", "int8", "static"])
def test_a_lora_is_merged_into_weights_of_every_form(
    tiny_model: TinyModel, tiny_loras: TinyModel, tmp_path: Path, form: dict[str, Any]
) -> None:
    folder, loras = tiny_model("stable-diffusion-3"), LoraFolder(tiny_loras("stable-diffusion-3"))
    model, asked = Catalogue().find(str(folder)), (Lora("a", 0.2), Lora("styles/b", -0.1))
    make = partial(OpenVINOBackend, cache=tmp_path, dtype="float32", **form)
    plain, compiled = DiffusersEngine([model], "cpu", loras=loras), DiffusersEngine([model], "cpu", make, loras=loras)
    info = plain.models[0]
    expected, drawn = (draw(engine, info, loras=asked) for engine in (plain, compiled))
    assert np.abs(expected - drawn).mean() < (8 if "eight_bits" in form else 1)
    assert np.abs(expected - draw(compiled, info)).mean() > 16


@pytest.mark.parametrize("device", ["npu", "gpu.7", "nonsense"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(device: str, tmp_path: Path) -> None:
    with pytest.raises(EaselError, match=rf"no device '{device}' here: OpenVINO .* finds .*CPU"):
        OpenVINOBackend(device, cache=tmp_path)


def test_the_settings_choose_it(tiny_model: TinyModel, cache: Path) -> None:
    folder = tiny_model("flux-schnell")
    settings = DiffusionSettings(models=(str(folder),), engine="openvino", device="cpu", cache_dir=str(cache))
    engine = build_engine(settings)
    assert engine.device.startswith("cpu ")
    assert engine.device.endswith("(OpenVINO)")
    assert draw(engine, engine.models[0]).any()
    assert list((cache / "openvino").glob(f"{folder.name}-*"))


def test_the_cache_is_where_the_desktop_says() -> None:
    assert cache_folder("", {"XDG_CACHE_HOME": "/somewhere"}) == Path("/somewhere/easel")
    assert cache_folder("", {"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache/easel"


def test_it_reports_to_nobody() -> None:
    """OpenVINO tells its makers of imports through a package that a self-hosted service must not load."""
    code = (
        "import sys, services.diffusion.engines.openvino.backend\n"
        "assert [name for name in sys.modules if name.startswith('openvino_telemetry')] == ['openvino_telemetry']\n"
        "assert sys.modules['openvino_telemetry'] is None"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
