"""API keys: made, kept as hashes, found, revoked while the gateway runs."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from gateway.keys import Keyring, KeysFileError, create_key, list_keys, revoke_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "keys.json"


def test_a_token_opens_and_nothing_near_it_does(path: Path) -> None:
    """The whole of it counts."""
    token = create_key(path, "anna")
    ring = Keyring(path)
    key = ring.find(token)
    assert key is not None
    assert key.name == "anna"
    assert re.fullmatch(r"easel_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", token)
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    for wrong in ("", "easel_", token[:-1], token + "x", other, token.upper(), token.replace(key.id, "00000000")):
        assert ring.find(wrong) is None


def test_the_file_holds_no_token_and_is_its_owners_alone(path: Path) -> None:
    """Whoever reads it can open nothing."""
    token = create_key(path, "anna")
    assert token not in path.read_text()
    assert token.split("_", 2)[2] not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


def test_keys_are_listed_and_revoked_by_their_id(path: Path) -> None:
    """The others stay."""
    tokens = [create_key(path, name) for name in ("anna", "bert")]
    anna, bert = list_keys(path)
    assert [anna.name, bert.name] == ["anna", "bert"]
    assert revoke_key(path, anna.id)
    assert not revoke_key(path, anna.id)
    ring = Keyring(path)
    assert [ring.find(token) is not None for token in tokens] == [False, True]


def test_a_running_gateway_notices_new_and_revoked_keys(path: Path) -> None:
    """At the next request, without a restart."""
    first = create_key(path, "anna")
    ring = Keyring(path)
    second = create_key(path, "bert")
    assert ring.find(second) is not None
    revoke_key(path, list_keys(path)[0].id)
    assert ring.find(first) is None


@pytest.mark.parametrize("spoil", [lambda path: path.write_text("{"), os.remove])
def test_a_spoiled_file_lets_nobody_in_until_it_is_mended(path: Path, spoil: object) -> None:
    """An old copy in memory may hold a key that was just revoked."""
    token = create_key(path, "anna")
    good = path.read_bytes()
    ring = Keyring(path)
    spoil(path)  # type: ignore[operator]
    assert ring.find(token) is None
    path.write_bytes(good)
    assert ring.find(token) is not None


def test_a_gateway_does_not_start_with_a_missing_or_unreadable_file(path: Path) -> None:
    """It says which."""
    with pytest.raises(KeysFileError, match=re.escape(str(path))):
        Keyring(path)
    path.parent.mkdir()
    path.write_text('{"keys": [{"id": 1}]}')
    with pytest.raises(KeysFileError, match="not a keys file"):
        Keyring(path)
