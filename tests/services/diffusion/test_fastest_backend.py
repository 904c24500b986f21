"""On a CPU the engine that is found faster for a model draws it, and the finding is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("diffusers")
pytest.importorskip("openvino")

import diffusers
import msgspec

from contracts.errors import EaselError
from services.diffusion.catalogue import Catalogue, Model
from services.diffusion.choices import Choices
from services.diffusion.engines.backend import Networks
from services.diffusion.engines.factory import build_engine
from services.diffusion.engines.fastest_backend import FastestBackend
from services.diffusion.engines.openvino.backend import OpenVINOBackend
from services.diffusion.engines.torch_backend import TorchBackend
from services.diffusion.settings import DiffusionSettings
from services.diffusion.torch_options import TorchOptions

pytestmark = [
    pytest.mark.xdist_group("openvino"),
    pytest.mark.usefixtures("one_torch_thread"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
TinyModel = Callable[[str], Path]


class Clock:
    """Says how long a step takes, and counts how often it is asked."""

    def __init__(self, *, on_torch: float, on_openvino: float) -> None:
        self._times = {True: on_torch, False: on_openvino}
        self.asked = 0

    def __call__(self, _model: Model, networks: Networks) -> float:
        self.asked += 1
        return self._times[is_torchs(networks)]


def is_torchs(networks: Networks) -> bool:
    return type(networks.pipe.unet) is diffusers.UNet2DConditionModel


@pytest.fixture
def model(tiny_model: TinyModel) -> Model:
    return Catalogue().find(str(tiny_model("stable-diffusion")))


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the tests: the model is converted once."""
    return tmp_path_factory.mktemp("converted")


@pytest.fixture
def make(tmp_path: Path, converted: Path) -> Callable[..., FastestBackend]:
    def made(clock: Clock, circumstances: str = "here") -> FastestBackend:
        rivals = {"diffusers": TorchBackend("cpu"), "openvino": OpenVINOBackend("cpu", cache=converted)}
        return FastestBackend(rivals, Choices(tmp_path), circumstances, clock)

    return made


@pytest.mark.parametrize(
    ("on_torch", "on_openvino", "torch_draws"),
    [(0.1, 0.2, True), (0.2, 0.1, False), (0.19, 0.2, False)],
    ids=["torch is faster", "OpenVINO is faster", "they are nearly alike"],
)
def test_the_engine_with_the_shorter_step_draws_and_later_starts_measure_nothing(
    make: Callable[..., FastestBackend], model: Model, on_torch: float, on_openvino: float, *, torch_draws: bool
) -> None:
    clock = Clock(on_torch=on_torch, on_openvino=on_openvino)
    first = make(clock)
    assert is_torchs(first.load(model)) is torch_draws
    later = make(clock)
    assert is_torchs(later.load(model)) is torch_draws
    assert first.name == later.name
    assert clock.asked == 2


def test_in_other_circumstances_it_is_measured_again(make: Callable[..., FastestBackend], model: Model) -> None:
    make(Clock(on_torch=0.1, on_openvino=0.2)).load(model)
    assert not is_torchs(make(Clock(on_torch=0.2, on_openvino=0.1), "with another torch").load(model))


def test_step_caches_are_offered_once_torch_is_known_to_draw(make: Callable[..., FastestBackend], model: Model) -> None:
    backend = make(Clock(on_torch=0.1, on_openvino=0.2))
    assert not backend.caches(model)
    backend.load(model)
    assert backend.caches(model)


def test_what_one_engine_cannot_load_the_other_draws_and_that_is_not_kept(
    make: Callable[..., FastestBackend], model: Model
) -> None:
    """What it lacks now, such as memory, may be there at the next start."""
    clock = Clock(on_torch=0.2, on_openvino=0.1)
    torchs_alone = msgspec.structs.replace(model, torch=TorchOptions(vae_tiling="always"))
    assert is_torchs(make(clock).load(torchs_alone))
    assert not is_torchs(make(clock).load(model))


def test_a_model_that_neither_can_load_is_refused_with_the_reason(
    make: Callable[..., FastestBackend], tiny_model: TinyModel, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "model_index.json").write_bytes((tiny_model("stable-diffusion") / "model_index.json").read_bytes())
    broken = Catalogue().find(str(empty))
    with pytest.raises((EaselError, OSError), match="unet"):
        make(Clock(on_torch=0.1, on_openvino=0.1)).load(broken)


def test_a_worker_measures_a_models_step_on_both_engines_at_its_first_load(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    folder = tiny_model("stable-diffusion")
    engine = build_engine(DiffusionSettings(models=(str(folder),), device="cpu", cache_dir=str(tmp_path)))
    engine.load(engine.models[0].id)
    (found,) = Choices(tmp_path).all()
    assert found.step_s.keys() == {"diffusers", "openvino"}
    assert all(0 < seconds < 10 for seconds in found.step_s.values())
    assert found.engine in found.step_s
