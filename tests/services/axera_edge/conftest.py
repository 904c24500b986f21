"""Fixtures of the Pi edge."""

from tests.support.edge_models import small_model, split_pocket  # noqa: F401  fixtures are found by name
from tests.support.torch_fixtures import one_torch_thread  # noqa: F401  fixtures are found by name
