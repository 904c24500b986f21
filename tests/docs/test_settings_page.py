"""The documentation says what the code does."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from cli.__main__ import app

ROOT = Path(__file__).parents[2]


def test_the_page_of_settings_is_what_the_command_prints() -> None:
    """After a change: `easel settings --markdown > docs/settings.md`."""
    printed = CliRunner().invoke(app, ["settings", "--markdown"]).stdout
    assert (ROOT / "docs" / "settings.md").read_text() == printed


def test_every_variable_of_the_services_that_came_before_is_honoured() -> None:
    """As the documents that Easel implements name them."""
    printed = CliRunner().invoke(app, ["settings", "--markdown"]).stdout
    promised = [
        "IMAGE_GEN_HOST",
        "IMAGE_GEN_PORT",
        "IMAGE_GEN_MODEL",
        "IMAGE_GEN_DEFAULT_WIDTH",
        "IMAGE_GEN_DEFAULT_HEIGHT",
        "IMAGE_GEN_INFERENCE_STEPS",
        "IMAGE_GEN_GUIDANCE_SCALE",
        "IMAGE_GEN_MAX_QUEUE_SIZE",
        "IMAGE_GEN_MAX_CONCURRENT",
        "TEXT_TO_IMAGE_STABLE_DIFFUSION_MODEL_ID",
        "TEXT_TO_IMAGE_STABLE_DIFFUSION_DEVICE",
        "MODEL",
    ]
    assert [name for name in promised if f"`{name}`" not in printed] == []
