"""The gateway's settings: no door is open by accident."""

from __future__ import annotations

import pytest

from gateway.settings import GatewaySettings
from runtime.process.settings import SettingsError, load


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_this_machine_alone_needs_no_keys(host: str) -> None:
    assert load(GatewaySettings, {"EASEL_GATEWAY_HOST": host}).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "localhost.example.org"])
@pytest.mark.parametrize("name", ["EASEL_GATEWAY_HOST", "IMAGE_GEN_HOST"])
def test_an_address_that_others_reach_needs_keys(host: str, name: str) -> None:
    """And the message says what to do."""
    with pytest.raises(SettingsError, match="easel keys create"):
        load(GatewaySettings, {name: host})
    assert load(GatewaySettings, {name: host, "EASEL_GATEWAY_KEYS_FILE": "keys.json"}).host == host


def test_the_names_of_older_set_ups_still_work() -> None:
    """Those of the job service."""
    environ = {
        "IMAGE_GEN_PORT": "8034",
        "IMAGE_GEN_MODEL": "Tongyi-MAI/Z-Image-Turbo",
        "IMAGE_GEN_DEFAULT_WIDTH": "1024",
        "IMAGE_GEN_DEFAULT_HEIGHT": "768",
        "IMAGE_GEN_INFERENCE_STEPS": "9",
        "IMAGE_GEN_GUIDANCE_SCALE": "0.0",
        "IMAGE_GEN_MAX_QUEUE_SIZE": "7",
    }
    settings = load(GatewaySettings, environ)
    assert (settings.port, settings.default_model) == (8034, "Tongyi-MAI/Z-Image-Turbo")
    assert (settings.default_width, settings.default_height) == (1024, 768)
    assert (settings.default_steps, settings.default_guidance_scale, settings.max_queue_size) == (9, 0.0, 7)


def test_the_defaults_are_the_promised_ones() -> None:
    settings = load(GatewaySettings, {})
    assert (settings.host, settings.port, settings.max_queue_size) == ("127.0.0.1", 8000, 20)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EASEL_GATEWAY_PORT", "70000"),
        ("EASEL_GATEWAY_MAX_QUEUE_SIZE", "0"),
        ("EASEL_GATEWAY_PUBLIC_URL", "example.org"),
        ("EASEL_GATEWAY_MODEL_ALIASES", "maybe"),
        ("EASEL_GATEWAY_QUEUE", "5"),
    ],
)
def test_a_wrong_value_or_name_is_told(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load(GatewaySettings, {name: value})
