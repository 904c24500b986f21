"""A seed means the same noise on the Pi as everywhere else."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from services.axera_edge.noise import TorchNoise

LATENTS = (1, 4, 64, 64)


def test_seed_0_draws_the_bytes_that_torch_drew_on_an_arm_cpu() -> None:
    """As recorded on a board with the card (torch 2.5.1, aarch64)."""
    recorded = "b2ac06f34558f4088edaa66c5dcb7d4ec7810b5ffa70079869cc6e85acb969ce"
    assert hashlib.sha256(TorchNoise(0).normal(LATENTS).tobytes()).hexdigest() == recorded


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1])
def test_it_is_torchs_noise_of_this_machine_too(seed: int) -> None:
    torch = pytest.importorskip("torch")
    generator, noise = torch.Generator("cpu").manual_seed(seed), TorchNoise(seed)
    for _ in range(2):  # the stream goes on as torch's does
        theirs = torch.randn(LATENTS, generator=generator).numpy()
        assert np.abs(theirs - noise.normal(LATENTS)).max() < 5e-6


def test_a_count_that_is_no_multiple_of_16_is_drawn_as_torch_does() -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.randn((3, 7), generator=torch.Generator("cpu").manual_seed(3)).numpy()
    assert np.abs(theirs - TorchNoise(3).normal((3, 7))).max() < 5e-6


def test_fewer_than_16_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="16"):
        TorchNoise(0).normal((3, 5))
