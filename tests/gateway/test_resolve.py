"""What a client left open is chosen, what it asked for is checked and rounded."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.errors import EaselError, ErrorCode
from contracts.images import MAX_SEED, GenerateImage, ImageFormat, ModelInfo
from gateway.resolve import LARGEST_SIDE, Wanted, choose_model, legal_size, resolve
from gateway.settings import GatewaySettings
from tests.gateway.conftest import model_info


def resolved(model: ModelInfo | None = None, settings: GatewaySettings | None = None, **asked: Any) -> GenerateImage:
    wanted = Wanted(**({"prompt": "a fox"} | asked))
    return resolve(wanted, model or model_info(), settings or GatewaySettings()).request


@st.composite
def models(draw: st.DrawFn) -> ModelInfo:
    multiple = draw(st.sampled_from([1, 8, 16, 32, 64]))
    low = draw(st.integers(1, 600))
    least = math.ceil(low / multiple) * multiple
    high = draw(st.integers(least, 4096))
    pixels = draw(st.integers(least * least, 4096 * 4096))
    return model_info(size_multiple=multiple, min_size=low, max_size=high, max_pixels=pixels)


@given(models(), st.integers(1, LARGEST_SIDE), st.integers(1, LARGEST_SIDE))
def test_any_size_becomes_one_that_the_model_draws(model: ModelInfo, width: int, height: int) -> None:
    """A multiple, within both sides' limits and the pixels'."""
    wide, tall = legal_size(width, height, model)
    assert wide % model.size_multiple == tall % model.size_multiple == 0
    assert model.min_size <= wide <= model.max_size
    assert model.min_size <= tall <= model.max_size
    assert wide * tall <= model.max_pixels


@given(models(), st.integers(1, LARGEST_SIDE), st.integers(1, LARGEST_SIDE))
def test_a_size_that_the_model_draws_is_left_alone(model: ModelInfo, width: int, height: int) -> None:
    """So rounding twice is rounding once."""
    size = legal_size(width, height, model)
    assert legal_size(*size, model) == size


@pytest.mark.parametrize(
    ("asked", "got"),
    [((1000, 500), (1024, 512)), ((543, 545), (512, 576)), ((1, 9999), (256, 1024)), ((1024, 1024), (832, 896))],
)
def test_sizes_are_rounded_to_the_nearest(asked: tuple[int, int], got: tuple[int, int]) -> None:
    """To 64 pixels here; the last one exceeds the model's pixels and keeps its shape as nearly as it can."""
    assert legal_size(*asked, model_info()) == got


def test_a_request_without_wishes_gets_the_models_own_values() -> None:
    """And a seed, so that it can be repeated."""
    request = resolved()
    assert (request.width, request.height) == (512, 512)
    assert (request.num_inference_steps, request.guidance_scale, request.num_images) == (20, 7.5, 1)
    assert request.output_format is ImageFormat.PNG
    assert 0 <= request.seed <= MAX_SEED


def test_the_operators_defaults_stand_in_front_of_the_models_but_within_its_limits() -> None:
    """They were set for another model, perhaps."""
    settings = GatewaySettings(default_width=1000, default_height=256, default_steps=99, default_guidance_scale=0.0)
    request = resolved(settings=settings)
    assert (request.width, request.height, request.num_inference_steps, request.guidance_scale) == (1024, 256, 50, 0.0)
    assert resolved(settings=settings, num_inference_steps=7).num_inference_steps == 7


def test_seeds_left_open_differ() -> None:
    """-1 is another word for nothing."""
    assert len({resolved(seed=seed).seed for seed in (None, -1) for _ in range(10)}) == 20


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("width", 0, ErrorCode.INVALID_REQUEST),
        ("width", -64, ErrorCode.INVALID_REQUEST),
        ("height", LARGEST_SIDE + 1, ErrorCode.INVALID_REQUEST),
        ("num_inference_steps", 0, ErrorCode.UNSUPPORTED),
        ("num_inference_steps", 51, ErrorCode.UNSUPPORTED),
        ("guidance_scale", -0.1, ErrorCode.UNSUPPORTED),
        ("guidance_scale", 20.1, ErrorCode.UNSUPPORTED),
        ("seed", -2, ErrorCode.INVALID_REQUEST),
        ("seed", MAX_SEED + 1, ErrorCode.INVALID_REQUEST),
        ("num_images", 0, ErrorCode.INVALID_REQUEST),
        ("num_images", 11, ErrorCode.INVALID_REQUEST),
        ("output_compression", 101, ErrorCode.INVALID_REQUEST),
        ("prompt", " \n", ErrorCode.INVALID_REQUEST),
        ("prompt", "x" * 32_001, ErrorCode.INVALID_REQUEST),
        ("negative_prompt", "x" * 32_001, ErrorCode.INVALID_REQUEST),
    ],
)
def test_what_lies_beyond_a_limit_is_refused_by_name(field: str, value: object, code: ErrorCode) -> None:
    """Not silently moved to the limit."""
    with pytest.raises(EaselError) as caught:
        resolved(**{field: value})
    assert (caught.value.code, caught.value.param) == (code, field)


def test_the_refusal_names_the_range() -> None:
    """So that the next try can be right."""
    with pytest.raises(EaselError, match=r"1 … 50, not 51"):
        resolved(num_inference_steps=51)


def test_a_negative_prompt_without_effect_is_dropped_with_a_warning() -> None:
    """Rather than refused: many clients always send one."""
    wanted = Wanted(prompt="a fox", negative_prompt="blurry")
    answer = resolve(wanted, model_info(negative_prompt=False), GatewaySettings())
    assert answer.request.negative_prompt == ""
    assert answer.warnings == ("org/model pays no attention to a negative prompt",)


OFFERED = [model_info(id="first"), model_info(id="second", source="hub/second@1")]


@pytest.mark.parametrize(
    "name", [None, "", "gpt-image-1", "gpt-image-2.6-sunburst", "dall-e-3", "chatgpt-image-latest"]
)
def test_no_name_and_openais_names_mean_the_default_model(name: str | None) -> None:
    """The first one offered, or the operator's."""
    assert choose_model(name, OFFERED, GatewaySettings()).id == "first"
    assert choose_model(name, OFFERED, GatewaySettings(default_model="hub/second")).id == "second"
    assert choose_model(name, OFFERED, GatewaySettings(default_model="asleep")).id == "first"


def test_a_model_is_found_by_its_id_or_by_its_hub_id() -> None:
    """With or without the revision."""
    for name in ("second", "hub/second", "hub/second@1"):
        assert choose_model(name, OFFERED, GatewaySettings()).id == "second"


@pytest.mark.parametrize(("name", "aliases"), [("sdxl", True), ("dall-e-3", False), ("xgpt-image-1", True)])
def test_an_unknown_model_is_refused_with_those_there_are(name: str, aliases: bool) -> None:
    """OpenAI's names too, where the operator switched them off."""
    with pytest.raises(EaselError, match="first, second") as caught:
        choose_model(name, OFFERED, GatewaySettings(model_aliases=aliases))
    assert (caught.value.code, caught.value.param) == (ErrorCode.MODEL_NOT_FOUND, "model")


def test_without_any_worker_the_answer_is_to_come_back() -> None:
    """Not that the model does not exist."""
    with pytest.raises(EaselError) as caught:
        choose_model("first", [], GatewaySettings())
    assert caught.value.code is ErrorCode.UNAVAILABLE
    assert caught.value.retry_after_s


def test_a_models_own_step_cache_is_used_unless_another_or_none_is_asked_for() -> None:
    cached = model_info(caches=("deepcache:3",), cache="deepcache:3")
    assert resolved(cached).cache == "deepcache:3"
    assert resolved(cached, cache="deepcache:5").cache == "deepcache:5"
    assert resolved(cached, cache="none").cache == ""
    assert resolved(model_info(caches=("deepcache:3",))).cache == ""


def test_a_step_cache_that_no_worker_has_is_refused_by_its_field() -> None:
    with pytest.raises(EaselError) as caught:
        resolved(cache="deepcache")
    assert (caught.value.code, caught.value.param) == (ErrorCode.UNSUPPORTED, "cache")
