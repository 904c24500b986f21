"""`easel keys` on a real file."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from cli.__main__ import app
from gateway.keys import Keyring


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
