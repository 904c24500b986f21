"""Fixtures of the engines under test."""

from tests.support.edge_models import small_model  # noqa: F401  fixtures are found by name
from tests.support.torch_fixtures import one_torch_thread, tiny_loras, tiny_model  # noqa: F401  fixtures are found by name
