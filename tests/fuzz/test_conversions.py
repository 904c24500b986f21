"""Every dialect's conversion on anything that its schema admits, and on much that it does not."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.errors import EaselError
from gateway.rpc import convert as rpc
from gateway.rpc import text2image_pb2 as pb
from tests.fuzz.lanes import DIALECTS, MODEL, converted, within_limits

WORDS = st.one_of(
    st.sampled_from(
        ["auto", "1024x1024", "512X512", "0x0", "-1x64", "999999999x1", "fake", "Euler a", "Automatic", ""]
    ),
    st.sampled_from(["txt2img", "img2img", "url", "b64_json", "png", "jpeg", "high", "always", "data:,", "aGVsbG8="]),
    st.text(max_size=40),
)
NUMBERS = st.one_of(
    st.integers(-2, 20),
    st.integers(0, 2048),
    st.sampled_from([2**31 - 1, 2**32, 2**63, -(2**63), 0.5, -0.5, 1e308, 5e-324]),
    st.floats(allow_nan=False, allow_infinity=False),
)
LEAVES = st.one_of(st.none(), st.booleans(), WORDS, NUMBERS)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=5
)


def values(field: msgspec.inspect.Field) -> st.SearchStrategy[Any]:
    """Mostly what the field is for."""
    kinds = field.type.types if isinstance(field.type, msgspec.inspect.UnionType) else (field.type,)
    found: list[st.SearchStrategy[Any]] = []
    for kind in kinds:
        match kind:
            case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
                found += [NUMBERS, NUMBERS]
            case msgspec.inspect.LiteralType(values=allowed):
                found.append(st.sampled_from(list(allowed)))
            case msgspec.inspect.BoolType():
                found.append(st.booleans())
            case msgspec.inspect.StrType():
                found += [WORDS, WORDS]
            case msgspec.inspect.ListType():
                found.append(st.lists(ANYTHING, max_size=3))
    return st.one_of(ANYTHING, *found)


def bodies(kind: type[msgspec.Struct]) -> st.SearchStrategy[dict[str, Any]]:
    told = msgspec.inspect.type_info(kind)
    assert isinstance(told, msgspec.inspect.StructType)
    every = {field.encode_name: values(field) for field in told.fields}
    prompt = {name: st.text("ab c\n", min_size=1, max_size=9) for name in ("prompt", "message") if name in every}
    likely = {name: chosen for name, chosen in every.items() if name not in prompt}
    return st.fixed_dictionaries(prompt, optional=likely) | st.dictionaries(WORDS, ANYTHING, max_size=4)


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_a_body_becomes_a_request_within_all_limits_or_is_refused(dialect: str, data: st.DataObject) -> None:
    body = data.draw(bodies(DIALECTS[dialect][0]))
    with contextlib.suppress(EaselError):
        converted(dialect, msgspec.json.encode(body))


RPC = {
    "width": st.integers(-(2**31), 2**31 - 1),
    "height": st.integers(-(2**31), 2**31 - 1),
    "num_inference_steps": st.integers(-(2**31), 2**31 - 1),
    "guidance_scale": st.floats(),
    "seed": st.integers(-(2**63), 2**63 - 1),
    "negative_prompt": st.text(max_size=20),
    "strength": st.floats(),
    "init_image": st.binary(max_size=40),
    "mask_image": st.binary(max_size=40),
}


@settings(deadline=None, max_examples=100)
@given(fields=st.fixed_dictionaries({"prompt": st.text(max_size=20)}, optional=RPC))
def test_a_grpc_request_becomes_one_too_or_is_refused(fields: dict[str, Any]) -> None:
    with contextlib.suppress(EaselError):
        within_limits(rpc.wanted(pb.ImageRequest(**fields), MODEL))
