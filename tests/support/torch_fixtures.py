"""Fixtures of the tests that draw with torch. Importing this imports no torch, so that a conftest may."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`tiny_model(family)`: the folder of that family's tiny model, built once for the session."""
    built: dict[str, Path] = {}

    def folder_of(family: str) -> Path:
        from tests.support import tiny_models

        if family not in built:
            built[family] = tiny_models.build(family, tmp_path_factory.mktemp("models") / f"tiny-{family}")
        return built[family]

    return folder_of


@pytest.fixture(scope="session")
def tiny_loras(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`tiny_loras(family)`: a folder with the LoRAs `a` and `styles/b` for that family's tiny model."""
    built: dict[str, Path] = {}

    def folder_of(family: str) -> Path:
        from tests.support import tiny_loras, tiny_models

        if family not in built:
            built[family] = tmp_path_factory.mktemp("loras")
            pipe = tiny_models.PIPELINES[family]()
            for seed, name in enumerate(("a", "styles/b")):
                tiny_loras.build(pipe, built[family] / f"{name}.safetensors", seed=seed)
        return built[family]

    return folder_of


@pytest.fixture(scope="session")
def one_torch_thread() -> Iterator[None]:
    """Tiny tensors are slower on several threads, and tests run beside each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
