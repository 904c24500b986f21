"""The edge's engine passes the engines' suite on graphs in the shapes of SD 1.5 LCM."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.images import ModelInfo
from services.axera_edge.engine import EdgeEngine
from tests.conformance.image_engine import ImageEngine, ImageEngineSuite, Steps, request_for
from tests.support.edge_models import edge_engine


@pytest.fixture(scope="module")
def shared(small_model: Path) -> EdgeEngine:
    return edge_engine(small_model)


class TestEdgeEngine(ImageEngineSuite):
    @pytest.fixture
    def engine(self, shared: EdgeEngine) -> EdgeEngine:
        """One for all tests: each must leave it usable."""
        return shared

    def test_pictures_have_the_size_and_number_asked_for(self, engine: ImageEngine, model: ModelInfo) -> None:
        """The graphs are compiled for one size."""
        images = engine.generate(request_for(model, num_images=2), Steps())
        assert [(image.mode, image.size) for image in images] == [("RGB", (512, 512))] * 2
