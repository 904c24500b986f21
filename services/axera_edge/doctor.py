"""`pi_axera_sd_generator doctor`: what stands between this machine and a picture, each with what to do."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, TextIO

from contracts.errors import EaselError
from services.axera_edge.description import ModelFiles, Paths, find_files
from services.axera_edge.sessions.choose import COMPILED
from services.axera_edge.settings import EdgeSettings

NODES = ("axcl_host", "ax_mmb_dev", "msg_userdev", "p2p")
"""All four: with the first two alone the driver fails as if the card were broken."""
CARD_ID = ("0x1f4b", "0x0650")
NEEDED_CMM_MIB = 2000
"""Of the card's memory, by one loaded model."""
_SMI_TIMEOUT_S = 20

PUBLISHED = {
    "sd15_text_encoder_sim.axmodel": "fa731c99588086044fef8e6b34445b63402a0d996b9080f0ab1a5e8dd0284ef6",
    "unet.axmodel": "86265c320a7a11e610024a0ef80638377dd839ec4bf429e924422603ac64ff8c",
    "vae_decoder.axmodel": "ee4201ce7cc8e470c301ed5880ac6dc41f347f330da2a353b23b54545c56b276",
    "vae_encoder.axmodel": "03105304de551d8f2a369c448cf4b83115599a0350022a410a6bb698b3571ab2",
    "time_input_txt2img.npy": "a48a430879c6a81a907889a6bb2b73f48cc9dc45b52f047ad2ee5c2dddcd2d10",
}
"""SHA-256 of AXERA-TECH/lcm-lora-sdv1-5 at 4ba40db7f8fddbf3e4f86edacf7fb255bb45d339."""


class Finding(NamedTuple):
    """One thing looked at."""

    state: Literal["ok", "note", "fail"]
    what: str
    advice: str = ""


def examine(settings: EdgeSettings, root: Path = Path("/")) -> list[Finding]:
    """Everything worth knowing, in the order in which to mend it; `root` is where /dev, /sys and the tools are."""
    paths = Paths(
        text_encoder=settings.text_encoder,
        unet=settings.unet,
        vae_decoder=settings.vae_decoder,
        vae_encoder=settings.vae_encoder,
        time_table=settings.time_table,
    )
    files: ModelFiles | None = None
    try:
        files = find_files(Path(settings.model_dir), paths)
        model = [Finding("ok", f"model {files.description.id} in {settings.model_dir}")]
    except EaselError as fault:
        model = [Finding("fail", fault.message)]
    on_card = settings.backend == "axengine" or (
        settings.backend == "auto" and (files is None or files.unet.suffix == COMPILED)
    )
    card = [*_card(root), _axengine()] if on_card else [Finding("note", "the graphs run on the CPU: no card is needed")]
    return [_architecture(), *card, *model, *(_hashes(files) if files and on_card else [])]


def report(findings: Iterable[Finding], out: TextIO) -> int:
    """Print them; 0 when nothing failed, else 1."""
    failed = 0
    for finding in findings:
        failed += finding.state == "fail"
        out.write(f"{finding.state:4}  {finding.what}\n")
        if finding.advice:
            out.write(f"      {finding.advice}\n")
    return min(failed, 1)


def _architecture() -> Finding:
    machine = platform.machine()
    if machine == "aarch64":
        return Finding("ok", "64-bit Arm")
    return Finding("note", f"this is a {machine}; the card's driver was made for 64-bit Arm (aarch64) and x86_64")


def _card(root: Path) -> Iterator[Finding]:
    found = [device for device in (root / "sys/bus/pci/devices").glob("*") if _pci_id(device) == CARD_ID]
    if found:
        yield Finding("ok", f"card on the PCIe bus at {found[0].name}")
    else:
        advice = (
            "check its seat and its power supply; on a Raspberry Pi 5 put dtparam=pciex1 and "
            "dtoverlay=pciex1-compat-pi5,no-mip under [all] in /boot/firmware/config.txt, then reboot"
        )
        yield Finding("fail", "no Axera card (1f4b:0650) on the PCIe bus", advice)
    yield from (_node(root / "dev" / name) for name in NODES)
    yield _memory(root)


def _pci_id(device: Path) -> tuple[str, ...]:
    with contextlib.suppress(OSError):
        return tuple((device / name).read_text().strip() for name in ("vendor", "device"))
    return ()


def _node(path: Path) -> Finding:
    if not path.exists():
        return Finding(
            "fail",
            f"{path} is missing: the driver is not loaded",
            "sudo modprobe axcl_host; after a kernel upgrade first: sudo dkms autoinstall -k $(uname -r)",
        )
    if not os.access(path, os.R_OK | os.W_OK):
        return Finding(
            "fail", f"{path} may not be opened by this user", "sudo usermod -aG axcl $USER, then log in again"
        )
    return Finding("ok", f"{path}")


def _memory(root: Path) -> Finding:
    tool = root / "usr/bin/axcl/axcl-smi"
    name = str(tool) if tool.exists() else shutil.which("axcl-smi")
    if not name:
        return Finding("note", "axcl-smi is not installed: the card's free memory is unknown")
    try:
        told = subprocess.run(  # noqa: S603  the driver's own tool
            [name, "info", "--cmm", "-d", "0"], capture_output=True, text=True, timeout=_SMI_TIMEOUT_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as fault:
        return Finding("fail", f"axcl-smi does not answer ({fault})", "the card hangs: reboot, then check its power")
    used = re.search(r"(\d+)\s*(?:MiB)?\s*/\s*(\d+)\s*MiB", told)
    if not used:
        return Finding("note", "axcl-smi does not tell the card's memory in a way known here")
    free = int(used[2]) - int(used[1])
    if free < NEEDED_CMM_MIB:
        advice = "end other programs on the card; a model takes about 2 GB"
        return Finding("note", f"{free} MiB of the card's {used[2]} are free", advice)
    return Finding("ok", f"{free} MiB of the card's {used[2]} are free")


def _axengine() -> Finding:
    if importlib.util.find_spec("axengine"):
        return Finding("ok", "axengine is installed")
    advice = "it is not on PyPI: RASPBERRY_PI_SETUP.md names the release and its SHA-256"
    return Finding("fail", "axengine is not installed", advice)


def _hashes(files: ModelFiles) -> Iterator[Finding]:
    parts = (files.text_encoder, files.unet, files.vae_decoder, files.vae_encoder, files.time_table)
    for path in (part for part in parts if part is not None):
        known = PUBLISHED.get(path.name)
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == known
        if same:
            yield Finding("ok", f"{path.name} is the published one")
        else:
            yield Finding("note", f"{path.name} is another than Axera published", "fine for a model of your own")
