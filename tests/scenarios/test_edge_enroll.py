"""`easel edge`: what an operator gets, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.__main__ import app

URL = "tls://bus.example.org:4222"


@pytest.fixture
def nats(tmp_path: Path) -> Path:
    return tmp_path / "nats"


def edge(nats: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["edge", *words, "--nats", str(nats)])


def enrolled(nats: Path, name: str, *words: str) -> Path:
    folder = nats.parent / name
    ended = edge(nats, "enroll", name, "--url", URL, "--out", str(folder), *words)
    assert ended.exit_code == 0, ended.output
    return folder


def test_a_devices_files_are_ready_and_its_secret_is_nowhere_else(nats: Path) -> None:
    folder = enrolled(nats, "pi-07")
    settings = dict(line.split("=", 1) for line in (folder / "edge.env").read_text().splitlines())
    assert settings["EASEL_NATS_URL"] == URL
    assert settings["EASEL_WORKER_NAME"] == settings["EASEL_WORKER_POOL"] == "pi-07"
    assert settings["EASEL_NATS_RESTRICTED"] == "true"
    secret = (folder / "device.nk").read_text().strip()
    assert secret.startswith("SU")
    assert (folder / "device.nk").stat().st_mode & 0o077 == 0
    assert {key.stat().st_mode & 0o077 for key in nats.glob("*.nk")} == {0}
    kept = (nats / "users.conf").read_text() + (nats / "devices.json").read_text()
    assert secret not in kept
    assert [key.name for key in nats.glob("*.nk") if key.read_text().strip() in kept] == []


def test_devices_are_listed_until_they_are_revoked(nats: Path) -> None:
    enrolled(nats, "pi-08")
    enrolled(nats, "pi-07")
    assert edge(nats, "list").output.split() == ["pi-07", "pi-08"]
    assert json.loads(edge(nats, "revoke", "pi-07", "--json").output) == {"revoked": "pi-07", "reloaded": False}
    assert json.loads(edge(nats, "list", "--json").output) == {"devices": ["pi-08"]}
    assert "pi-07" not in (nats / "users.conf").read_text()
    enrolled(nats, "pi-07")


def test_each_of_our_own_services_has_a_key_that_stays_the_same(nats: Path) -> None:
    """Also where its secret half was moved away, to the machine of the service."""
    assert edge(nats, "services").output.split()[0] == str(nats / "gateway.nk")
    before = {key.name: key.read_text() for key in nats.glob("*.nk")}
    users = (nats / "users.conf").read_text()
    (nats / "diffusion.nk").unlink()
    enrolled(nats, "pi-08")
    assert set(before) == {"gateway.nk", "diffusion.nk", "enhancer.nk", "operator.nk"}
    assert not (nats / "diffusion.nk").exists()
    assert edge(nats, "revoke", "pi-08").exit_code == 0
    assert (nats / "users.conf").read_text() == users


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("enroll", "pi-07", "--url", URL), "enrolled already"),
        (("enroll", "Pi 8", "--url", URL), "no name for a device"),
        (("enroll", "gateway", "--url", URL), "one of our own services"),
        (("enroll", "x.>", "--url", URL), "no name for a device"),
        (("enroll", "pi-08", "--url", URL, "--namespace", "other"), "belong to the namespace 'easel'"),
        (("services", "--namespace", "other"), "belong to the namespace 'easel'"),
        (("revoke", "pi-09"), "there are: pi-07"),
        (("revoke", "pi-07", "--pid-file", "/nowhere"), "nats-server --signal reload"),
    ],
)
def test_a_mistake_is_told(nats: Path, words: tuple[str, ...], said: str) -> None:
    enrolled(nats, "pi-07")
    ended = edge(nats, *words)
    assert (ended.exit_code, said in ended.output) == (2, True), ended.output


def test_a_damaged_list_is_named(nats: Path) -> None:
    nats.mkdir()
    (nats / "devices.json").write_text("{")
    ended = edge(nats, "list")
    assert (ended.exit_code, str(nats / "devices.json") in ended.output) == (2, True)
