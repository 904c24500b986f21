"""The service's files: installed twice alike, closed as far as the card allows, and all four nodes let through."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from services.axera_edge.doctor import NODES

HERE = Path(__file__).parents[3] / "services/axera_edge/install"
UNIT = HERE / "pi_axera_sd_generator.service"


def install(destination: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(HERE / "install.sh"), "--keep-venv", *words],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DESTDIR": str(destination)},
        capture_output=True,
        text=True,
        check=False,
    )


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(it.relative_to(folder)): (it.read_bytes(), it.stat().st_mode) for it in folder.rglob("*") if it.is_file()
    }


@pytest.fixture
def device(tmp_path: Path) -> Path:
    folder = tmp_path / "pi-07"
    folder.mkdir()
    for name in ("edge.env", "device.nk", "ca.pem"):
        (folder / name).write_text(name)
    return folder


def test_installing_again_changes_nothing(tmp_path: Path, device: Path, small_model: Path) -> None:
    root = tmp_path / "root"
    first = install(root, "--models", str(small_model), "--device", str(device))
    assert first.returncode == 0, first.stderr
    before = contents(root)
    again = install(root, "--models", str(small_model), "--device", str(device))
    assert "wrote" not in again.stdout
    assert contents(root) == before
    assert before["etc/pi_axera_sd_generator/device.nk"][1] & 0o777 == 0o640
    assert "opt/pi_axera_sd_generator/models/text_encoder/sd15_text_encoder_sim.onnx" in before


def test_an_operators_settings_are_kept(tmp_path: Path) -> None:
    root = tmp_path / "root"
    install(root)
    own = root / "etc/pi_axera_sd_generator/service.env"
    own.write_text("EASEL_EDGE_PORT=5001\n")
    install(root)
    assert own.read_text() == "EASEL_EDGE_PORT=5001\n"


def test_uninstalling_leaves_models_and_settings_unless_purged(tmp_path: Path, small_model: Path) -> None:
    root = tmp_path / "root"
    install(root, "--models", str(small_model))
    install(root, "--uninstall")
    left = contents(root)
    assert not [name for name in left if name.startswith(("etc/systemd", "etc/udev", "usr/"))]
    assert [name for name in left if "models" in name]
    install(root, "--purge")
    assert contents(root) == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--models", "/nowhere"), "/nowhere does not exist"),
        (("--device",), "needs a value"),
        (("--fast",), "unknown option --fast"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_written(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    ended = install(tmp_path / "root", *words)
    assert (ended.returncode, said in ended.stderr) == (1, True)
    assert not (tmp_path / "root").exists()


def test_a_folder_that_no_enrolment_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    ended = install(tmp_path / "root", "--device", str(tmp_path / "other"))
    assert "easel edge enroll" in ended.stderr
    assert ended.returncode == 1


def test_another_wheel_under_the_same_name_is_refused(tmp_path: Path) -> None:
    """Releases of axengine share one file name."""
    wheel = tmp_path / "axengine-0.1.3-py3-none-any.whl"
    wheel.write_bytes(b"older")
    ended = install(tmp_path / "root", "--axengine", str(wheel))
    assert (ended.returncode, "SHA-256" in ended.stderr) == (1, True)


def test_unit_and_rule_name_every_node_of_the_driver() -> None:
    allowed = re.findall(r"^DeviceAllow=/dev/(\S+) rw$", UNIT.read_text(), re.MULTILINE)
    ruled = re.findall(
        r'^KERNEL=="(\w+)", GROUP="axcl"', (HERE / "90-pi-axera-sd-generator.rules").read_text(), re.MULTILINE
    )
    assert tuple(allowed) == tuple(ruled) == NODES


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_is_as_closed_as_it_can_be() -> None:
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert exposure, told
    assert float(exposure[1]) <= 2.0
