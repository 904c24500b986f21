"""What is released: wheel and source archive are whole, install into a clean environment, and tell of their parts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import cli

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both, built from what git has: nothing that only lies about gets in."""
    folder = tmp_path_factory.mktemp("release")
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    for name in files:
        top = name.split("/")[0]
        if (ROOT / name).is_file() and top in {"contracts", "runtime", "gateway", "services", "cli"} | {
            "pyproject.toml",
            "README.md",
            "LICENSE",
        }:
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    command = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        str(folder / "dist"),
        str(folder / "source"),
    ]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    return folder / "dist"


@pytest.mark.parametrize("archive", ["*.whl", "*.tar.gz"])
def test_both_install_and_work_in_a_clean_environment(dist: Path, tmp_path: Path, archive: str) -> None:
    """Its own files alone: of this environment it sees the libraries, not Easel."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv/bin/python"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": sysconfig.get_path("purelib")}
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    built = [*install, "--ignore-installed", "--no-build-isolation", str(next(dist.glob(archive)))]
    installed = subprocess.run(built, env=environment, capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr
    program = "import cli, gateway.app, services.diffusion.catalogue as c; print(cli.__file__, *c.Catalogue().ids)"
    said = subprocess.run(
        [python, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert str(tmp_path) in said.stdout
    assert str(Path(cli.__file__).parent) not in said.stdout
    assert "pocket" in said.stdout
    command = [tmp_path / "venv/bin/easel", "settings", "--env"]
    settings = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "EASEL_GATEWAY_PORT=8000" in settings.stdout


def test_both_carry_the_licence_the_page_and_the_bundled_model(dist: Path) -> None:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        inside = set(wheel.namelist())
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        source = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        "gateway/web/index.html",
        "services/diffusion/catalogue.toml",
        "services/diffusion/models/pocket/unet/diffusion_pytorch_model.safetensors",
        "services/diffusion/models/pocket/NOTICE",
    }
    assert wanted <= inside
    assert wanted | {"LICENSE"} <= source
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in inside)
    assert not [name for name in inside if name.startswith(("tests/", "training/"))]


def test_the_version_stands_in_one_place() -> None:
    """Everything else asks the package."""
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    own = [
        name for name in tracked.split() if name.split("/")[0] in {"contracts", "runtime", "gateway", "services", "cli"}
    ]
    assert [name for name in own if "__version__ =" in (ROOT / name).read_text()] == []


def test_the_bill_of_materials_names_what_is_installed(tmp_path: Path) -> None:
    """As `make dist` writes it, in CycloneDX's form."""
    out = tmp_path / "easel.cdx.json"
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--pyproject", str(ROOT / "pyproject.toml")]
    subprocess.run([*command, "--output-file", str(out), sys.executable], check=True, capture_output=True)
    bill = json.loads(out.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "easel"
    assert {"nats-py", "litestar", "msgspec"} <= {component["name"] for component in bill["components"]}
