"""`easel jobs`, `workers`, `models`, `status`, `version`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.commands.up import command_name
from tests.cli.conftest import JOB, PICTURE
from tests.cli.stub_gateway import StubGateway


def easel(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_models_are_one_a_line(gateway: StubGateway) -> None:
    gateway.routes["GET /v1/models"] = lambda r: r.json({"object": "list", "data": [{"id": "pocket"}, {"id": "sd15"}]})
    assert easel("models").stdout == "pocket\nsd15\n"
    assert json.loads(easel("models", "--json").stdout)["data"][0] == {"id": "pocket"}


def test_watch_ends_with_the_jobs_state_and_can_save_its_pictures(gateway: StubGateway, tmp_path: Path) -> None:
    assert easel("jobs", "watch", JOB).stdout == "succeeded\n"
    assert easel("jobs", "watch", JOB, "-o", f"{tmp_path}/fox.png").stdout == f"{tmp_path}/fox.png\n"
    assert (tmp_path / "fox.png").read_bytes() == PICTURE


def test_watch_writes_no_png_into_a_jpg(gateway: StubGateway, tmp_path: Path) -> None:
    ended = easel("jobs", "watch", JOB, "-o", f"{tmp_path}/fox.jpg")
    assert (ended.exit_code, list(tmp_path.iterdir())) == (2, [])


def test_a_job_that_had_ended_is_not_called_cancelled(gateway: StubGateway) -> None:
    gateway.routes[f"DELETE /job/{JOB}"] = lambda r: r.json({"success": True, "job_id": JOB, "status": "succeeded"})
    ended = easel("jobs", "cancel", JOB)
    assert (ended.exit_code, ended.stderr) == (4, f"easel: job {JOB} had ended before: it is succeeded\n")


def test_cancel_says_what_it_did(gateway: StubGateway) -> None:
    assert easel("jobs", "cancel", JOB).stdout == f"cancelled {JOB}\n"
    assert gateway.asked("DELETE", f"/job/{JOB}")


def test_a_job_that_is_not_there_ends_with_4(gateway: StubGateway) -> None:
    ended = easel("jobs", "cancel", "f" * 32)
    assert ended.exit_code == 4
    assert "is not cancelled" in ended.stderr


def test_a_gateway_that_cannot_draw_yet_is_a_3(gateway: StubGateway) -> None:
    gateway.routes["GET /readyz"] = lambda r: r.json({"status": "not ready", "reason": "no worker"}, 503)
    gateway.routes["GET /health"] = lambda r: r.json({"status": "healthy"})
    ended = easel("status", "--json")
    assert (ended.exit_code, json.loads(ended.stdout)["ready"]) == (3, False)


def test_options_before_a_subcommand_are_not_passed_over(gateway: StubGateway) -> None:
    ended = easel("jobs", "--json", "watch", JOB)
    assert (ended.exit_code, ended.stderr) == (2, "easel: write --json after 'watch'\n")


def test_version_is_one_word() -> None:
    assert easel("version").stdout.count(".") == 2
    assert set(json.loads(easel("version", "--json").stdout)) == {"version"}


def test_no_command_shows_the_help() -> None:
    ended = easel()
    assert (ended.exit_code, "generate" in ended.stdout) == (0, True)


def test_an_unknown_command_ends_with_2() -> None:
    assert easel("generat").exit_code == 2


def test_the_help_loads_no_library_that_only_requests_need() -> None:
    script = "import sys, cli.__main__; print([m for m in ('httpx', 'rich', 'asyncio', 'nats') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"


def test_the_hint_names_the_command_as_it_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / ".venv" / "bin" / "easel"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(command.with_name("python")))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert command_name() == ".venv/bin/easel"
    monkeypatch.setenv("PATH", str(command.parent))
    assert command_name() == "easel"


def test_a_folder_becomes_a_model_of_ones_own(tmp_path: Path) -> None:
    pocket = Path(__file__).parents[2] / "services/diffusion/models/pocket"
    ended = easel("models", "add", str(pocket), "--name", "mine", "--models-file", str(tmp_path / "models.toml"))
    assert (ended.exit_code, ended.stdout) == (0, "mine\n")
    assert "easel up --model mine" in ended.stderr
    again = easel("models", "add", str(pocket), "--name", "mine", "--models-file", str(tmp_path / "models.toml"))
    assert (again.exit_code, "choose another name" in again.stderr) == (4, True)


def test_a_model_is_loaded_and_the_worker_named(gateway: StubGateway) -> None:
    gateway.routes["POST /models/load"] = lambda r: r.events(
        ("stage", "", {"stage": "loading sd15 on cpu"}), ("loaded", "", {"model": "sd15", "workers": ["painter"]})
    )
    assert easel("models", "load", "sd15", "--device", "cpu").stdout == "painter\n"
    assert gateway.seen[-1][3] == {"model": "sd15", "worker": "", "device": "cpu", "stream": True}


def test_a_model_that_cannot_be_loaded_says_why(gateway: StubGateway) -> None:
    gateway.routes["POST /models/load"] = lambda r: r.events(("error", "", {"code": "x", "message": "no such weights"}))
    ended = easel("models", "load", "sd15")
    assert (ended.exit_code, ended.stderr) == (4, "easel: no such weights\n")


def test_loading_that_breaks_off_is_told(gateway: StubGateway) -> None:
    gateway.routes["POST /models/load"] = lambda r: r.events(("stage", "", {"stage": "loading"}))
    ended = easel("models", "load", "sd15")
    assert ended.exit_code == 3
    assert "ended before the model was loaded" in ended.stderr


def test_unloading_names_the_workers(gateway: StubGateway) -> None:
    gateway.routes["POST /models/unload"] = lambda r: r.json({"model": "sd15", "workers": ["a", "b"]})
    assert easel("models", "unload", "sd15").stdout == "a\nb\n"


@pytest.mark.parametrize("group", [(), ("jobs",), ("models",), ("keys",), ("edge",), ("bus",)])
def test_the_help_says_whole_what_each_command_does(group: tuple[str, ...]) -> None:
    _, _, commands = easel(*group, "--help").stdout.partition("Commands:")
    assert commands
    assert "..." not in commands


@pytest.mark.parametrize("group", ["jobs", "models"])
def test_an_option_of_the_list_is_refused_before_another_command(group: str) -> None:
    ended = easel(group, "--json", {"jobs": "watch", "models": "add"}[group], JOB)
    assert ended.exit_code == 2


def test_loras_are_listed_with_the_models_that_they_fit(gateway: StubGateway) -> None:
    models = [{"id": "pocket", "loras": ["ink"]}, {"id": "sd15", "loras": ["fog", "ink"]}, {"id": "old"}]
    gateway.routes["GET /v1/models"] = lambda r: r.json({"object": "list", "data": models})
    assert easel("loras").stdout == "fog  sd15\nink  pocket,sd15\n"
    assert json.loads(easel("loras", "--json").stdout)["loras"][0] == {"name": "fog", "models": ["sd15"]}
