"""The diffusers engine passes the engines' suite with every family on OpenVINO too."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("diffusers")
pytest.importorskip("services.diffusion.engines.openvino.backend", reason="openvino is not installed")

from services.diffusion.catalogue import Catalogue
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.engines.openvino.backend import OpenVINOBackend
from services.diffusion.loras.lora_folder import LoraFolder
from tests.conformance.batching_engine import BatchingEngineSuite
from tests.support import tiny_models


@pytest.fixture(scope="module")
def engines() -> dict[str, DiffusersEngine]:
    return {}


# Euler's scheduler hands a tensor's method to NumPy 2 in the way of NumPy 1.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.usefixtures("one_torch_thread")
@pytest.mark.xdist_group("openvino-conformance")  # converting takes seconds for each family and process
class TestOpenVINOEngine(BatchingEngineSuite):
    @pytest.fixture(params=tiny_models.PIPELINES)
    def engine(
        self,
        request: pytest.FixtureRequest,
        tiny_model: Callable[[str], Path],
        tiny_loras: Callable[[str], Path],
        tmp_path_factory: pytest.TempPathFactory,
        engines: dict[str, DiffusersEngine],
    ) -> DiffusersEngine:
        """One engine for each family, which all its tests share: each must leave it usable."""
        if request.param not in engines:
            model = Catalogue().find(str(tiny_model(request.param)))
            make = partial(OpenVINOBackend, dtype="float32", cache=tmp_path_factory.mktemp("cache"))
            engines[request.param] = DiffusersEngine([model], "cpu", make, loras=LoraFolder(tiny_loras(request.param)))
        return engines[request.param]
