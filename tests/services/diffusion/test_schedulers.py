"""Schedulers by name: those announced draw, and steps foretell the picture alike with each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("diffusers")

from contracts.errors import ErrorCode
from services.diffusion.catalogue import Catalogue
from services.diffusion.engines.diffusers_engine import DiffusersEngine
from services.diffusion.schedulers import NOISE, own_name
from tests.conformance.image_engine import HELD, Steps, draw, edit, fault_of, pixels, request_for, starting_picture

pytestmark = [
    pytest.mark.usefixtures("one_torch_thread"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
]
STOCHASTIC = ("Euler a", "DPM++ 2M SDE", "DPM++ 2M SDE Karras", "DDPM")


@pytest.fixture(scope="module")
def engine(tiny_model: Callable[[str], Path]) -> DiffusersEngine:
    return DiffusersEngine([Catalogue().find(str(tiny_model("stable-diffusion")))], device="cpu")


@pytest.mark.parametrize("name", NOISE)
def test_each_scheduler_announced_draws_the_same_again_whatever_came_between(
    engine: DiffusersEngine, name: str
) -> None:
    info = engine.models[0]
    assert name in info.schedulers
    once = draw(engine, info, scheduler=name, num_inference_steps=5)
    draw(engine, info, scheduler="Heun", seed=1)
    assert np.array_equal(once, draw(engine, info, scheduler=name, num_inference_steps=5))


@pytest.mark.parametrize("name", NOISE)
def test_each_scheduler_begins_from_a_picture_and_paints_within_a_mask(engine: DiffusersEngine, name: str) -> None:
    info = engine.models[0]
    start = starting_picture(info, takes=True)
    mask = start.convert("L").point(lambda value: 255 * (value > 128))
    low = edit(engine, info, start, scheduler=name, strength=0.4, num_inference_steps=5)
    masked = edit(engine, info, start, mask, scheduler=name, strength=0.8, num_inference_steps=5)
    assert low.shape == masked.shape
    assert not np.array_equal(low, masked)


@pytest.mark.parametrize("name", NOISE)
def test_the_last_preview_is_nearest_to_the_picture(engine: DiffusersEngine, name: str) -> None:
    """Also a proof that each scheduler's prediction is read rightly: at the last step little is left to remove."""
    info, steps = engine.models[0], Steps()
    request = request_for(info, scheduler=name, num_inference_steps=6, num_images=2)
    drawn = pixels(engine.generate(request, steps))
    smaller = drawn.shape[1] // steps.previews[-1].shape[1]
    shown = steps.previews[-1].repeat(smaller, axis=1).repeat(smaller, axis=2)
    own, other = np.abs(shown - drawn).mean(), np.abs(shown - drawn[::-1]).mean()
    assert own < other


def test_the_first_scheduler_announced_is_the_one_drawn_with_when_none_is_named(engine: DiffusersEngine) -> None:
    info = engine.models[0]
    assert info.schedulers[0] == "PLMS"
    assert np.array_equal(draw(engine, info), draw(engine, info, scheduler="PLMS"))


@pytest.mark.parametrize("name", [name for name in NOISE if name != "PLMS"])
def test_another_scheduler_draws_another_picture(engine: DiffusersEngine, name: str) -> None:
    info = engine.models[0]
    assert not np.array_equal(draw(engine, info), draw(engine, info, scheduler=name))


@pytest.mark.parametrize("name", STOCHASTIC)
def test_noise_added_on_the_way_follows_the_seed(engine: DiffusersEngine, name: str) -> None:
    info = engine.models[0]
    together = draw(engine, info, scheduler=name, seed=3, num_images=2)
    alone = draw(engine, info, scheduler=name, seed=4)
    assert np.abs(together[1] - alone[0]).max() <= 2


def test_a_scheduler_that_does_not_suit_is_refused_with_those_that_do(tiny_model: Callable[[str], Path]) -> None:
    engine, steps = DiffusersEngine([Catalogue().find(str(tiny_model("flux-dev")))], device="cpu"), Steps()
    fault = fault_of(engine, request_for(engine.models[0], scheduler="DDIM"), steps)
    assert (fault.code, fault.param, steps.seen) == (ErrorCode.UNSUPPORTED, "scheduler", [])
    assert "there are: Euler" in fault.message


def test_a_model_whose_signal_ends_at_zero_announces_only_what_begins_there() -> None:
    assert Catalogue().find("pocket").info.schedulers == ("DDIM", "Euler a", "Euler", "DPM++ 2M", "UniPC")


def test_a_scheduler_that_users_have_no_name_for_keeps_its_own() -> None:
    assert own_name({"_class_name": "EDMEulerScheduler"}) == "EDMEuler"


@pytest.mark.parametrize("strength", [0.0, 0.01])
def test_the_lowest_strength_makes_one_step(engine: DiffusersEngine, strength: float) -> None:
    info = engine.models[0]
    assert edit(engine, info, starting_picture(info, takes=True), strength=strength, scheduler="DDIM").any()


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_a_consistency_model_takes_every_strength_with_any_number_of_steps(
    tiny_model: Callable[[str], Path], strength: float
) -> None:
    engine = DiffusersEngine([Catalogue().find(str(tiny_model("latent-consistency")))], device="cpu")
    info = engine.models[0]
    assert edit(engine, info, starting_picture(info, takes=True), strength=strength, num_inference_steps=50).any()


def test_a_strength_beyond_its_range_is_refused(engine: DiffusersEngine) -> None:
    fault = fault_of(engine, request_for(engine.models[0], strength=1.5, init_image=HELD), Steps())
    assert (fault.code, fault.param) == (ErrorCode.UNSUPPORTED, "strength")
