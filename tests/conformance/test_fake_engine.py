"""The tests' own engine passes the engines' suite, so that what is tested with it holds for the real ones."""

from __future__ import annotations

import pytest

from tests.conformance.image_engine import ImageEngineSuite
from tests.support.fake_engine import FakeEngine


class TestFakeEngine(ImageEngineSuite):
    @pytest.fixture
    def engine(self) -> FakeEngine:
        return FakeEngine()
