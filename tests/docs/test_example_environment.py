"""`.env.example` holds what the code reads."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from cli.__main__ import app
from runtime.process.settings import known_names, load
from runtime.worker.settings import WorkerSettings

ROOT = Path(__file__).parents[2]


def test_the_example_is_what_the_command_prints() -> None:
    """After a change: `easel settings --env > .env.example`."""
    printed = CliRunner().invoke(app, ["settings", "--env"]).stdout
    assert (ROOT / ".env.example").read_text() == printed


def test_its_defaults_are_the_codes_own() -> None:
    """Taking every `#` away changes nothing."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    given = dict(line[1:].split("=", 1) for line in lines if line.startswith("#EASEL"))
    own = {name: value for name, value in given.items() if name in known_names(WorkerSettings)}
    assert own
    assert load(WorkerSettings, own) == WorkerSettings()
