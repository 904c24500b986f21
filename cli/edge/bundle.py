"""The folder that goes to a device: its key and a configuration that needs no editing."""

from __future__ import annotations

import shutil
from pathlib import Path

from cli.faults import CliError, ExitCode
from runtime.messaging.users import write_secret

HOME = "/etc/pi_axera_sd_generator"
"""Where the install script puts them on the device."""


def write_bundle(folder: Path, name: str, *, secret: str, url: str, namespace: str, authority: Path | None) -> None:
    """Write `edge.env`, `device.nk` and, for an authority of one's own, `ca.pem`.

    Raises:
        CliError: the folder cannot be written.
    """
    settings = {
        "EASEL_EDGE_BUS": "true",
        "EASEL_NATS_URL": url,
        "EASEL_NATS_NKEY": f"{HOME}/device.nk",
        "EASEL_NATS_RESTRICTED": "true",
        "EASEL_NAMESPACE": namespace,
        "EASEL_WORKER_NAME": name,
        "EASEL_WORKER_POOL": name,
    }
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if authority is not None:
            settings["EASEL_NATS_CA"] = f"{HOME}/ca.pem"
            shutil.copyfile(authority, folder / "ca.pem")
        write_secret(folder / "device.nk", secret)
        (folder / "edge.env").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    except OSError as fault:
        raise CliError(ExitCode.USAGE, f"cannot write the device's configuration to {folder}: {fault}") from fault
