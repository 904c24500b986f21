"""The doctor finds what lacks, in a made-up machine."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from services.axera_edge.doctor import NODES, Finding, examine, report
from services.axera_edge.settings import EdgeSettings
from tools.edge_models.small import write_small_model


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compiled")
    write_small_model(folder, suffix=".axmodel")
    return folder


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Pi with a card: PCIe device, four nodes, the driver's tool, and no axengine whatever other tests brought."""
    monkeypatch.setitem(sys.modules, "axengine", None)
    pci = tmp_path / "sys/bus/pci/devices/0001:01:00.0"
    pci.mkdir(parents=True)
    (pci / "vendor").write_text("0x1f4b\n")
    (pci / "device").write_text("0x0650\n")
    (tmp_path / "dev").mkdir()
    for name in NODES:
        (tmp_path / "dev" / name).touch()
    tool = tmp_path / "usr/bin/axcl/axcl-smi"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\necho 'CMM  :  18 MiB / 7040 MiB'\n")
    tool.chmod(0o755)
    return tmp_path


def said(findings: list[Finding], state: str) -> str:
    return "\n".join(f"{it.what} {it.advice}" for it in findings if it.state == state)


def test_a_machine_with_a_card_has_all_but_what_is_missing_here(machine: Path, compiled: Path) -> None:
    findings = examine(EdgeSettings(model_dir=str(compiled)), machine)
    fine = said(findings, "ok")
    assert "0001:01:00.0" in fine
    assert all(name in fine for name in NODES)
    assert "7022 MiB of the card's 7040" in fine
    assert "unet.axmodel is another than Axera published" in said(findings, "note")
    assert "axengine is not installed" in said(findings, "fail")


def test_each_missing_thing_comes_with_what_to_do(machine: Path, compiled: Path) -> None:
    (machine / "dev/p2p").unlink()
    (machine / "sys/bus/pci/devices/0001:01:00.0/device").write_text("0x1234")
    failed = said(examine(EdgeSettings(model_dir=str(compiled)), machine), "fail")
    assert "pciex1-compat-pi5" in failed
    assert "p2p is missing" in failed
    assert "modprobe axcl_host" in failed


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_node_that_may_not_be_opened_is_told(machine: Path, compiled: Path) -> None:
    (machine / "dev/axcl_host").chmod(0)
    assert "usermod -aG axcl" in said(examine(EdgeSettings(model_dir=str(compiled)), machine), "fail")


def test_a_full_card_is_noted(machine: Path, compiled: Path) -> None:
    (machine / "usr/bin/axcl/axcl-smi").write_text("#!/bin/sh\necho '6800/7040 MiB'\n")
    assert "240 MiB of the card's 7040 are free" in said(
        examine(EdgeSettings(model_dir=str(compiled)), machine), "note"
    )


def test_on_the_cpu_no_card_is_looked_for(tmp_path: Path, small_model: Path) -> None:
    findings = examine(EdgeSettings(model_dir=str(small_model)), tmp_path)
    assert "no card is needed" in said(findings, "note")
    assert said(findings, "fail") == ""


def test_every_missing_file_of_the_model_is_named(tmp_path: Path) -> None:
    failed = said(examine(EdgeSettings(model_dir=str(tmp_path)), tmp_path), "fail")
    for name in ("unet.axmodel", "vae_decoder.axmodel", "time_input_txt2img.npy", "vocab.json", "merges.txt"):
        assert name in failed


def test_the_report_ends_in_failure_when_something_failed() -> None:
    out = io.StringIO()
    assert report([Finding("ok", "this")], out) == 0
    assert report([Finding("ok", "this"), Finding("fail", "that", "mend it")], out) == 1
    assert "fail  that\n      mend it\n" in out.getvalue()
