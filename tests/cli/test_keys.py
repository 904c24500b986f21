"""`easel keys` on a real file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from gateway.keys import Keyring
from tests.cli.stub_gateway import StubGateway


def easel(*words: str) -> Result:
    return CliRunner().invoke(app, ["keys", *words])


def test_a_created_key_opens_the_door_until_it_is_revoked(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    token = easel("create", "--keys", str(file), "--name", "chat").stdout.strip()
    assert Keyring(file).find(token) is not None
    (key,) = json.loads(easel("list", "--keys", str(file), "--json").stdout)["keys"]
    assert key["name"] == "chat"
    assert easel("revoke", "--keys", str(file), key["id"]).stdout == f"{key['id']}\n"
    assert Keyring(file).find(token) is None


def test_keys_are_revoked_by_name_too(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    made = [json.loads(easel("create", "--keys", str(file), "--name", "pi", "--json").stdout)["id"] for _ in range(2)]
    assert json.loads(easel("revoke", "--keys", str(file), "--name", "pi", "--json").stdout) == {"revoked": made}


def test_a_key_has_the_scopes_and_the_time_that_it_was_given(tmp_path: Path) -> None:
    file = str(tmp_path / "keys.json")
    easel("create", "--keys", file, "--name", "watcher", "--scopes", "read,enhance", "--expires-days", "1")
    easel("create", "--keys", file, "--name", "chat")
    first, second = json.loads(easel("list", "--keys", file, "--json").stdout)["keys"]
    assert (first["scopes"], second["scopes"]) == ("read,enhance", "generate,enhance,read")
    assert (first["expires_at"] > first["created_at"], second["expires_at"]) == (True, "never")
    refused = easel("create", "--keys", file, "--name", "x", "--scopes", "all")
    assert (refused.exit_code, "generate, enhance, read" in refused.stderr) == (2, True)


def test_the_token_is_kept_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    token = easel("create", "--keys", str(file), "--name", "chat").stdout.strip()
    assert token not in file.read_text() + easel("list", "--keys", str(file)).stdout


def test_the_file_may_be_named_by_the_gateways_variable(tmp_path: Path) -> None:
    ended = CliRunner().invoke(
        app, ["keys", "create", "--name", "chat"], env={"EASEL_GATEWAY_KEYS_FILE": f"{tmp_path}/keys.json"}
    )
    assert (ended.exit_code, (tmp_path / "keys.json").exists()) == (0, True)


def test_faults_are_one_line_and_a_2(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    for words in (["list"], ["revoke", "12345678"], ["revoke"], ["create", "--name", "x", "--keys", "/proc/none/keys"]):
        ended = easel(*(words if "--keys" in words else [*words, "--keys", str(file)]))
        assert (ended.exit_code, len(ended.stderr.splitlines())) == (2, 1)


def test_limits_are_set_where_they_are_named_and_stay_where_they_are_not(tmp_path: Path) -> None:
    """A gateway that reads the file finds them."""
    file = tmp_path / "keys.json"
    token = easel("create", "--keys", str(file), "--name", "chat", "--pictures-per-day", "5").stdout.strip()
    key_id = token.split("_")[1]
    words = ("set", "--keys", str(file), key_id, "--jobs-in-flight", "2")
    assert json.loads(easel(*words, "--json").stdout) == {
        "id": key_id,
        "limits": {"jobs_in_flight": 2, "pictures_per_day": 5},
    }
    key = Keyring(file).find(token)
    assert key
    assert (key.limits.jobs_in_flight, key.limits.pictures_per_day) == (2, 5)
    assert easel("set", "--keys", str(file), key_id, "--pictures-per-day", "0").stdout == "jobs_in_flight=2\n"
    refused = easel("set", "--keys", str(file), "00000000", "--pictures-per-day", "1")
    assert (refused.exit_code, "has no key 00000000" in refused.stderr) == (2, True)


def test_usage_shows_what_the_gateway_tells_about_the_key(
    gateway: StubGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"key": "0a1b2c3d", "name": "chat", "day": "2026-11-21", "jobs": 3, "pictures": 4, "megapixel_steps": 5.5}
    told = {"usage": [{**row, "in_flight": 1, "limits": {"pictures_per_day": 9}}]}
    gateway.routes["GET /v1/usage"] = lambda asked: asked.json(told)
    monkeypatch.setenv("EASEL_API_KEY", "easel_secret")
    shown = easel("usage").stdout
    assert ["0a1b2c3d", "chat", "2026-11-21", "3", "4", "5.5", "1"] in [line.split() for line in shown.splitlines()]
    assert json.loads(easel("usage", "--json").stdout) == told
    assert {headers["authorization"] for _, _, headers, _ in gateway.seen} == {"Bearer easel_secret"}
