"""Fixtures of the diffusion service."""

from tests.support.torch_fixtures import one_torch_thread, tiny_loras, tiny_model  # noqa: F401  fixtures are found by name
