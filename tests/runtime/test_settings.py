"""Settings from the environment: typed, all faults at once, near names suggested."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from runtime.messaging.settings import BusSettings
from runtime.process.settings import SettingsError, fields, known_names, load
from runtime.worker.settings import WorkerSettings


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A struct as the services have them."""

    port: Annotated[int, Meta(ge=1, le=65535, extra={"env": ("EASEL_EXAMPLE_PORT", "IMAGE_GEN_PORT")})] = 8000
    models: Annotated[tuple[str, ...], Meta(extra={"env": ("EASEL_EXAMPLE_MODELS",)})] = ("pocket",)
    preload: Annotated[bool, Meta(extra={"env": ("EASEL_EXAMPLE_PRELOAD",)})] = True
    width: Annotated[int | None, Meta(extra={"env": ("EASEL_EXAMPLE_WIDTH",)})] = None


def test_nothing_set_gives_the_defaults() -> None:
    """An empty variable counts as not set."""
    assert load(Example, {"EASEL_EXAMPLE_PORT": ""}) == Example()


def test_values_are_converted_to_their_types() -> None:
    """Numbers, lists, booleans, optional numbers."""
    environ = {
        "EASEL_EXAMPLE_PORT": "9000",
        "EASEL_EXAMPLE_MODELS": "a, b",
        "EASEL_EXAMPLE_PRELOAD": "off",
        "EASEL_EXAMPLE_WIDTH": "512",
    }
    assert load(Example, environ) == Example(port=9000, models=("a", "b"), preload=False, width=512)


def test_an_older_name_works_and_the_canonical_one_wins() -> None:
    """Set-ups made for the services that came before keep working."""
    assert load(Example, {"IMAGE_GEN_PORT": "9001"}).port == 9001
    assert load(Example, {"IMAGE_GEN_PORT": "9001", "EASEL_EXAMPLE_PORT": "9002"}).port == 9002


def test_every_fault_is_told_at_once() -> None:
    """With its name and its value."""
    environ = {"EASEL_EXAMPLE_PORT": "0", "EASEL_EXAMPLE_PRELOAD": "maybe", "EASEL_EXAMPLE_PROT": "1"}
    with pytest.raises(SettingsError) as caught:
        load(Example, environ)
    assert len(caught.value.faults) == 3
    assert "EASEL_EXAMPLE_PORT='0'" in str(caught.value)
    assert "did you mean EASEL_EXAMPLE_PORT?" in str(caught.value)


def test_a_flag_wins_over_the_environment() -> None:
    """And None counts as a flag not given."""
    assert load(Example, {"EASEL_EXAMPLE_PORT": "9000"}, port=9001).port == 9001
    assert load(Example, {"EASEL_EXAMPLE_PORT": "9000"}, port=None).port == 9000


@pytest.mark.parametrize("kind", [BusSettings, WorkerSettings])
def test_every_setting_says_what_it_does_and_which_variable_sets_it(kind: type[msgspec.Struct]) -> None:
    """The documentation is made from this."""
    for field in fields(kind):
        assert field.description, field.name
        assert field.env, field.name
        assert field.env[0].startswith("EASEL_"), field.name
    assert known_names(kind)
